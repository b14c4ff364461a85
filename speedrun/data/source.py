"""Where documents come from, and which source a run gets."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import platformdirs

CACHE_VARIABLE = "SPEEDRUN_CACHE"


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


def cache_dir() -> Path:
    """Where tokens, tokenizers and held-out documents are kept between runs."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("speedrun"))


def open_source(path: str | None, notice: Callable[[str], None]) -> Source:
    """`path` if given, else TinyStories from the hub, else the storybook with a notice."""
    if path is not None:
        from speedrun.data.local import LocalFiles

        return LocalFiles(Path(path))
    from speedrun.data import hub

    why = hub.unreachable()
    if why is None:
        return hub.TinyStories(cache_dir() / "hub")
    if (cached := hub.TinyStories(cache_dir() / "hub", offline=why)).is_cached():
        notice(f"The hub does not answer ({why}): racing on the TinyStories cached here.")
        return cached
    notice(
        f"The hub does not answer ({why}): racing on the built-in storybook, a data set of its"
        " own that is never ranked with TinyStories. --data PATH takes a local copy."
    )
    from speedrun.data.storybook_source import Storybook

    return Storybook()
