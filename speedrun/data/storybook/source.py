"""Storybook as a data source: stories by split and index, the same on every machine."""

import hashlib
import random
from collections.abc import Iterator
from itertools import count
from typing import Any

from speedrun.data.source import Counted, Documents
from speedrun.data.storybook.parser import grammar
from speedrun.data.storybook.teller import tell

VERSION = 1  # bump whenever any story changes: the fingerprint, and so the track, depends on it
SPLITS = ("train", "validation")
_NUM_FINGERPRINTED = 100
_NUM_HELDOUT = 2000


def story(index: int, split: str = "train") -> str:
    """The story with this index: the same text on every machine, in every process."""
    _check(split, index)
    return tell(grammar(), random.Random(f"{split}-{index}").random)[0]


def stories(split: str, start: int = 0) -> Iterator[str]:
    """Endless stories of a split, from index `start` on."""
    _check(split, start)
    return (story(index, split) for index in count(start))


def fingerprint(split: str) -> str:
    """SHA-256 over the version and the first hundred stories of a split."""
    told = (story(index, split) for index in range(_NUM_FINGERPRINTED))
    return hashlib.sha256("\0".join((f"storybook {VERSION} {split}", *told)).encode()).hexdigest()


def _check(split: str, index: int) -> None:
    if split not in SPLITS:
        raise ValueError(f"the storybook has no split {split!r}; choose {' or '.join(SPLITS)}")
    if index < 0:
        raise ValueError(f"the storybook counts stories from 0; {index} was asked for")


class Storybook:
    """Data source of the project's own stories: endless, offline, a data set of its own."""

    name, origin = "storybook", "storybook"

    def __init__(self) -> None:
        self.train_fingerprint = fingerprint("train")

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Stories from the start, or from after a saved state."""
        start = state["doc"] if state else 0
        return Counted(stories("train", start), start)

    def heldout(self, limit: int | None) -> list[str]:
        """The first `limit` held-out stories; 2,000 for None."""
        return [story(i, "validation") for i in range(_NUM_HELDOUT if limit is None else limit)]
