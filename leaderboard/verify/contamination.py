"""The search for held-out text in what a run was trained on.

The documents are read as the run read them, as far as its tokens reach and at most once, in
batches: memory does not grow with the data.
"""

import itertools
import math
from collections.abc import Callable, Sequence
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
_TABLE_BITS = 22
_MANY = 1 << 62  # tokens; a record may claim more than a float can say


@dataclass(frozen=True)
class Found:
    """What the documents that a run consumed share with the held-out ones."""

    num_documents: int  # consumed
    num_equal: int  # before the last one consumed: the run must have dropped them
    num_equal_after: int  # between it and the next that it would have consumed
    num_near: int
    is_whole: bool  # the data ended here


def search(
    source: Source,
    heldout: HeldOut,
    tokenizer: Tokenizer,
    record: Record,
    watch: Callable[[float], None] = lambda share: None,
) -> Found:
    """Read the training documents again, as far as the run's tokens reach."""
    wanted = _num_tokens_of_first_pass(record)
    shingles = Shingles(heldout.documents)
    num_tokens, num_documents, num_near = 1, 0, 0
    num_equal = num_waiting = 0
    stream = source.train()
    try:
        while batch := list(itertools.islice(stream, _BATCH_DOCS)):
            kept = [document for document in batch if document.strip()]
            is_equal = [heldout.has(document) for document in kept]
            fresh = [d for d, equal in zip(kept, is_equal, strict=True) if not equal]
            lengths = iter(tokenizer.num_tokens(fresh))
            for document, equal in zip(kept, is_equal, strict=True):
                if equal:
                    num_waiting += 1
                    continue
                if num_tokens >= wanted:
                    return Found(num_documents, num_equal, num_waiting, num_near, is_whole=False)
                num_equal, num_waiting = num_equal + num_waiting, 0
                num_documents += 1
                num_tokens += next(lengths) + 1
                num_near += shingles.are_near(document)
            watch(min(1.0, num_tokens / wanted))
    finally:
        stream.close()
    return Found(num_documents, num_equal, num_waiting, num_near, is_whole=True)


def _num_tokens_of_first_pass(record: Record) -> int:
    """Tokens of the stream, the first end-of-text included, that the run got to see."""
    seen = min(record.train.num_tokens, _MANY)
    if record.train.epochs:
        seen = min(seen, round(min(seen / record.train.epochs, float(_MANY))))
    return seen + 1


def agrees(found: Found, record: Record) -> bool:
    """Whether the record's count of dropped documents can be true.

    A run counts what its token cache has left out: of the documents that it consumed, of those
    fetched ahead, and of those that earlier runs on the same cache went on to. So it may count
    more than were found here, never fewer. Only one that came to the data's end must have
    counted exactly those of all documents; unless its source broke off before.
    """
    claimed = record.data.num_dropped_duplicates
    ended_early = any(event.kind == "documents_ended" for event in record.train.events)
    if found.is_whole and record.train.epochs is not None and not ended_early:
        return claimed == found.num_equal + found.num_equal_after
    return claimed >= found.num_equal


class Shingles:
    """The runs of `SHINGLE_WORDS` words of the held-out documents, white space and case folded.

    A document with fewer words has none: its whole text is compared, by `HeldOut.has`.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        # A hash of words mod 2^64: drawn anew for every process, so that nobody can aim at it.
        rng = np.random.default_rng()
        self._factors = rng.integers(0, 2**63, SHINGLE_WORDS, dtype=np.uint64) * 2 + 1
        found = [np.unique(self._hashes(document)) for document in documents]
        sizes = np.array([len(hashes) for hashes in found], dtype=np.int64)
        # None of an empty set can be shared.
        self._needed = np.where(sizes > 0, np.ceil(NEAR_SHARE * sizes), math.inf)
        self._least = float(self._needed.min(initial=math.inf))
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *found])
        order = np.argsort(hashes, kind="stable")
        self._docs = np.repeat(np.arange(len(found)), sizes)[order]
        self._keys, self._starts = np.unique(hashes[order], return_index=True)
        self._stops = np.append(self._starts[1:], len(hashes))
        # Most shingles are nobody's: a look into this table settles that.
        self._is_there = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._is_there[self._keys >> np.uint64(64 - _TABLE_BITS)] = True

    def are_near(self, document: str) -> bool:
        """Whether one held-out document has half of its shingles in this one."""
        hashes = self._hashes(document)
        hashes = hashes[self._is_there[hashes >> np.uint64(64 - _TABLE_BITS)]]
        if len(hashes) < self._least or not len(self._keys):
            return False
        hashes = np.unique(hashes)
        at = np.minimum(np.searchsorted(self._keys, hashes), len(self._keys) - 1)
        at = at[self._keys[at] == hashes]
        if len(at) < self._least:
            return False
        docs = [self._docs[self._starts[i] : self._stops[i]] for i in at]
        shared = np.bincount(np.concatenate(docs), minlength=len(self._needed))
        return bool((shared >= self._needed).any())

    def _hashes(self, document: str) -> NDArray[np.uint64]:
        words = document.casefold().split()
        if len(words) < SHINGLE_WORDS:
            return np.empty(0, dtype=np.uint64)
        hashed = np.fromiter(map(hash, words), dtype=np.int64, count=len(words)).view(np.uint64)
        return np.lib.stride_tricks.sliding_window_view(hashed, SHINGLE_WORDS) @ self._factors
