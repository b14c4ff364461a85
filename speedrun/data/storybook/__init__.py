"""The built-in data set: children's stories from a seeded grammar, endless and offline."""

import hashlib
import random
from collections.abc import Iterator
from itertools import count

from speedrun.data.storybook.book import book
from speedrun.data.storybook.teller import tell

VERSION = 1  # Bump whenever any story changes: the fingerprint, and so the track, depends on it.
SPLITS = ("train", "validation")
NUM_FINGERPRINTED = 100


def story(index: int, split: str = "train") -> str:
    """The story with this index: the same text on every machine, in every process."""
    _require(split, index)
    text, _ = tell(book(), random.Random(f"{split}-{index}").random)
    return text


def stories(split: str, start: int = 0) -> Iterator[str]:
    """The stories of a split from `start` on, without end."""
    _require(split, start)
    return (story(index, split) for index in count(start))


def fingerprint(split: str) -> str:
    """SHA-256 over the version and the first hundred stories of a split."""
    digest = hashlib.sha256(f"storybook {VERSION} {split}".encode())
    for index in range(NUM_FINGERPRINTED):
        digest.update(b"\0" + story(index, split).encode())
    return digest.hexdigest()


def _require(split: str, index: int) -> None:
    if split not in SPLITS:
        raise ValueError(f"the storybook has no split {split!r}; choose {' or '.join(SPLITS)}")
    if index < 0:
        raise ValueError(f"the storybook counts stories from 0; {index} was asked for")
