"""Where documents come from, and which source a run gets."""

from collections.abc import Iterator
from typing import Any, Protocol


class SourceUnavailable(ValueError):
    """The source cannot deliver (any more): network gone, file unreadable.

    A ValueError, because before the clock starts it ends a run with one line, not a traceback.
    """


class Documents(Protocol):
    """An iterator over training documents that knows how to go on from where it is."""

    def __iter__(self) -> Iterator[str]: ...
    def __next__(self) -> str: ...
    def state(self) -> dict[str, Any]:
        """JSON that `Source.train` resumes from, right after the last document given."""
        ...

    def close(self) -> None:
        """Let go of files and connections; nothing is asked of it afterwards."""
        ...


class Source(Protocol):
    """A data set: training documents to stream and held-out documents to score."""

    name: str  # the data set's name in the record
    origin: str  # "hub", "local" or "storybook"
    train_fingerprint: str

    def train(self, state: dict[str, Any] | None = None) -> Documents: ...

    def heldout(self, limit: int | None) -> list[str]:
        """The first `limit` held-out documents (all for None), in their fixed order."""
        ...


class Counted:
    """Documents whose position is the number given so far."""

    def __init__(self, documents: Iterator[str], start: int) -> None:
        self._documents, self._doc = documents, start

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        document = next(self._documents)
        self._doc += 1
        return document

    def state(self) -> dict[str, Any]:
        return {"doc": self._doc}

    def close(self) -> None:
        self._documents = iter(())
