"""Search of a run's training documents for held-out text, and for what the run read.

The documents are read in the order in which the run read them, as far as its tokens reach and at
most once. Memory does not grow with the data.
"""

import contextlib
import hashlib
import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from speedrun.data.heldout import NONE_DROPPED, HeldOut, after
from speedrun.data.source import Source
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.records.schema import Record
from speedrun.training.validation import Without, draw

SHINGLE_WORDS = 13  # as in the filters of GPT-3 (Brown et al. 2020, appendix C)
NEAR_SHARE = 0.5  # of a held-out document's shingles, in one training document
_BATCH_DOCS = 256
_MAX_TOKENS = 1 << 62  # a record may claim more than a float holds
_MAX_HASHED = 1 << 36  # tokens; an honest run of a day reads fewer
_BLOCK_BYTES = 1 << 20


@dataclass
class Contamination:
    """Held-out text among the training documents that a run consumed, and what these are."""

    num_documents: int = 0  # consumed
    num_equal: int = 0  # to held-out ones, before the last document consumed
    num_equal_after: int = 0  # between that document and the next
    num_near: int = 0
    is_complete: bool = True  # the data ended before the run's tokens did
    equal_sha256: str = NONE_DROPPED  # of the texts of `num_equal`, see `heldout.after`
    all_equal_sha256: str = NONE_DROPPED  # those after them included
    consumed_sha256: str | None = None  # see `loader.Consumed`; None: of more than can be hashed


def search(
    source: Source,
    heldout: HeldOut,
    tokenizer: Tokenizer,
    record: Record,
    watch: Callable[[float], None] = lambda share: None,
) -> Contamination:
    """Read the training documents again, as far as the run's tokens reach."""
    if record.config.get("keep") == "best":  # the run left its validation documents out
        source = Without(source, draw(source, heldout))
    num_targets = _num_targets_of_first_round(record)
    shingles, found, num_tokens = Shingles(heldout.documents), Contamination(), 1
    num_later = min(record.train.num_tokens, _MAX_TOKENS) - num_targets
    with contextlib.closing(source.train()) as stream, tempfile.TemporaryFile() as file:
        tokens = _Tokens(file, num_targets, num_later)
        for document, ids in _encoded(stream, heldout, tokenizer):
            if ids is None:
                found.num_equal_after += 1
                found.all_equal_sha256 = after(found.all_equal_sha256, document)
                continue
            if num_tokens > num_targets:
                found.is_complete = False
                break
            found.num_equal += found.num_equal_after
            found.num_equal_after, found.equal_sha256 = 0, found.all_equal_sha256
            found.num_documents += 1
            found.num_near += shingles.is_near(document)
            tokens.take(np.append(ids, EOT))
            num_tokens += len(ids) + 1
            if found.num_documents % _BATCH_DOCS == 0:
                watch(min(1.0, num_tokens / num_targets))
        found.consumed_sha256 = tokens.sha256()
    return found


def _encoded(
    stream: Iterator[str], heldout: HeldOut, tokenizer: Tokenizer
) -> Iterator[tuple[str, NDArray[np.uint16] | None]]:
    """Documents with their ids; None for those equal to a held-out one, blank ones left out."""
    while batch := list(itertools.islice(stream, _BATCH_DOCS)):
        documents = [(text, heldout.has(text)) for text in batch if text.strip()]
        fresh = [text for text, is_equal in documents if not is_equal]
        ids = iter(tokenizer.encode_all(fresh))
        for text, is_equal in documents:
            yield text, None if is_equal else next(ids)


def _num_targets_of_first_round(record: Record) -> int:
    """Target tokens that the run consumed until it began with the documents anew."""
    seen = min(record.train.num_tokens, _MAX_TOKENS)
    if record.train.epochs:
        seen = min(seen, round(min(seen / record.train.epochs, float(_MAX_TOKENS))))
    return max(1, seen)


class _Tokens:
    """Hash of what a run consumed; the tokens of its first round wait in a file for later ones."""

    def __init__(self, file: IO[bytes], num_targets: int, num_later: int) -> None:
        self._num_bytes, self._later_bytes = 2 * num_targets, 2 * num_later
        self._sha256 = hashlib.sha256(np.array([EOT], dtype="<u2").tobytes())
        self._file, self._is_kept = file, 0 < num_later <= _MAX_HASHED

    def take(self, ids: NDArray[np.uint16]) -> None:
        """The next tokens of the first round; those past its end are left out."""
        raw = ids.astype("<u2", copy=False).tobytes()[: self._num_bytes]
        self._num_bytes -= len(raw)
        self._sha256.update(raw)
        if self._is_kept:
            self._file.write(raw)

    def sha256(self) -> str | None:
        """The hash of all rounds."""
        left = self._later_bytes
        if left > 0 and self._file.tell() == 0:
            return None  # too many, or none at all
        while left > 0:
            self._file.seek(0)
            while left > 0 and (block := self._file.read(min(left, _BLOCK_BYTES))):
                self._sha256.update(block)
                left -= len(block)
        return self._sha256.hexdigest()


def agrees(found: Contamination, record: Record) -> bool:
    """Whether the record's dropped documents are those found.

    Since schema 4 a run counts those before its last token, and after a whole round all of them.
    Before, it counted all that its token cache left out: in the documents it consumed, in those
    fetched ahead, and in those that earlier runs cached: never fewer than were found.
    """
    claimed, digest = record.data.num_dropped_duplicates, record.data.dropped_sha256
    has_all = found.is_complete and _has_ended(record)
    all_equal = found.num_equal + found.num_equal_after, found.all_equal_sha256
    equal = (found.num_equal, found.equal_sha256)
    if record.schema_version >= 4:
        is_round = has_all and (record.train.epochs or 0.0) >= 1
        return (claimed, digest) == (all_equal if is_round else equal)
    return claimed == all_equal[0] if has_all else claimed >= equal[0]


def consumed_agrees(found: Contamination, record: Record) -> bool | None:
    """Whether the run consumed these tokens; None where that cannot be told."""
    if record.schema_version < 4 or found.consumed_sha256 is None:
        return None
    if (record.train.epochs or 0.0) >= 1 and _has_ended(record) and not found.is_complete:
        return False  # it went round before the documents ended
    return record.data.consumed_sha256 == found.consumed_sha256


def _has_ended(record: Record) -> bool:
    """Whether the run says that it reached the end of the documents."""
    has_failed = any(event.kind in ("documents_ended", "bad_row") for event in record.train.events)
    return record.train.epochs is not None and not has_failed


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
