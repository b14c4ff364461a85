"""Protocol of a data source: training documents to stream, held-out documents to score."""

from collections.abc import Iterator
from typing import Any, Protocol


class SourceUnavailable(ValueError):
    """The source cannot deliver (any more): network gone, file unreadable.

    A ValueError, so that before the clock starts it ends a run with one line.
    """


class Documents(Protocol):
    """Resumable iterator over training documents."""

    def __iter__(self) -> Iterator[str]: ...
    def __next__(self) -> str: ...
    def state(self) -> dict[str, Any]:
        """Plain values that `Source.train` resumes from, right after the last document given."""
        ...

    def interrupt(self) -> None:
        """Have a long wait in another thread end with SourceUnavailable."""

    def close(self) -> None:
        """Release files and connections; the iterator is not used afterwards."""


class Source(Protocol):
    """Data set: training documents to stream and held-out documents to score."""

    name: str  # the data set's name in the record
    origin: str  # "hub", "local" or "storybook"

    @property
    def train_fingerprint(self) -> str:
        """Identity of the training documents."""
        ...

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Training documents from the start, or from after a saved state."""
        ...

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
        """The number of documents given so far."""
        return {"doc": self._doc}

    def interrupt(self) -> None:
        """No document takes long."""

    def close(self) -> None:
        """Drop the iterator, which closes its files."""
        self._documents = iter(())
