"""Search of a run's training documents for held-out text.

The documents are read in the order in which the run read them, as far as its tokens reach and at
most once. Memory does not grow with the data.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source
from speedrun.data.tokenizer import Tokenizer
from speedrun.records.schema import Record

SHINGLE_WORDS = 13  # as in the filters of GPT-3 (Brown et al. 2020, appendix C)
NEAR_SHARE = 0.5  # of a held-out document's shingles, in one training document
_BATCH_DOCS = 256
_MAX_TOKENS = 1 << 62  # a record may claim more than a float holds


@dataclass
class Contamination:
    """Held-out text among the training documents that a run consumed."""

    num_documents: int = 0  # consumed
    num_equal: int = 0  # to held-out ones, before the last document consumed
    num_equal_after: int = 0  # between that document and the next
    num_near: int = 0
    is_complete: bool = True  # the data ended before the run's tokens did


def search(
    source: Source,
    heldout: HeldOut,
    tokenizer: Tokenizer,
    record: Record,
    watch: Callable[[float], None] = lambda share: None,
) -> Contamination:
    """Read the training documents again, as far as the run's tokens reach."""
    wanted = _num_tokens_of_first_epoch(record)
    shingles = Shingles(heldout.documents)
    found, num_tokens = Contamination(), 1
    with contextlib.closing(source.train()) as stream:
        for document, size in _sized(stream, heldout, tokenizer):
            if size is None:
                found.num_equal_after += 1
                continue
            if num_tokens >= wanted:
                found.is_complete = False
                break
            found.num_equal += found.num_equal_after
            found.num_equal_after = 0
            found.num_documents += 1
            found.num_near += shingles.is_near(document)
            num_tokens += size + 1
            if found.num_documents % _BATCH_DOCS == 0:
                watch(min(1.0, num_tokens / wanted))
    return found


def _sized(
    stream: Iterator[str], heldout: HeldOut, tokenizer: Tokenizer
) -> Iterator[tuple[str, int | None]]:
    """Documents with their tokens; None for those equal to a held-out one, blank ones left out."""
    while batch := list(itertools.islice(stream, _BATCH_DOCS)):
        documents = [(text, heldout.has(text)) for text in batch if text.strip()]
        fresh = [text for text, is_equal in documents if not is_equal]
        sizes = map(len, tokenizer.encode_all(fresh))
        for text, is_equal in documents:
            yield text, None if is_equal else next(sizes)


def _num_tokens_of_first_epoch(record: Record) -> int:
    """Tokens of the stream that the run consumed, the first end-of-text included."""
    seen = min(record.train.num_tokens, _MAX_TOKENS)
    if record.train.epochs:
        seen = min(seen, round(min(seen / record.train.epochs, float(_MAX_TOKENS))))
    return seen + 1


def agrees(found: Contamination, record: Record) -> bool:
    """Whether the record's number of dropped documents is possible.

    A run counts all that its token cache left out: in the documents it consumed, in those fetched
    ahead, and in those that earlier runs cached. So it may count more than was found, never fewer.
    Only a run that reached the end of the data must have counted exactly those of all documents,
    unless its source failed before.
    """
    claimed = record.data.num_dropped_duplicates
    has_failed = any(event.kind == "documents_ended" for event in record.train.events)
    if found.is_complete and record.train.epochs is not None and not has_failed:
        return claimed == found.num_equal + found.num_equal_after
    return claimed >= found.num_equal


class Shingles:
    """Sequences of `SHINGLE_WORDS` words in documents, with white space and case folded.

    A shorter document has none; its whole text is compared by `HeldOut.has`.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        # Hash of words mod 2^64 with random factors, so that nobody can construct collisions.
        rng = np.random.default_rng()
        self._factors = rng.integers(0, 2**63, SHINGLE_WORDS, dtype=np.uint64) * 2 + 1
        found = [np.unique(self._hashes(document)) for document in documents]
        sizes = np.array([len(hashes) for hashes in found], dtype=np.int64)
        self._needed = np.where(sizes > 0, np.ceil(NEAR_SHARE * sizes), math.inf)
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *found])
        order = np.argsort(hashes, kind="stable")
        self._keys, self._docs = hashes[order], np.repeat(np.arange(len(found)), sizes)[order]

    def is_near(self, document: str) -> bool:
        """Whether a document contains half of the shingles of a single held-out one."""
        hashes = np.unique(self._hashes(document))
        starts = np.searchsorted(self._keys, hashes, side="left")
        stops = np.searchsorted(self._keys, hashes, side="right")
        docs = [self._docs[i:j] for i, j in zip(starts, stops, strict=True) if i < j]
        if not docs:
            return False
        shared = np.bincount(np.concatenate(docs), minlength=len(self._needed))
        return bool((shared >= self._needed).any())

    def _hashes(self, document: str) -> NDArray[np.uint64]:
        words = document.casefold().split()
        if len(words) < SHINGLE_WORDS:
            return np.empty(0, dtype=np.uint64)
        hashed = np.fromiter(map(hash, words), dtype=np.int64, count=len(words)).view(np.uint64)
        return np.lib.stride_tricks.sliding_window_view(hashed, SHINGLE_WORDS) @ self._factors
