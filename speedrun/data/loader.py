"""Token stream: documents tokenized and packed into rows by a background worker."""

import hashlib
import itertools
import queue
import threading
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speedrun.data.heldout import NONE_DROPPED, HeldOut, after
from speedrun.data.source import Documents, Source, SourceUnavailable
from speedrun.data.token_cache import TokenCache
from speedrun.data.tokenizer import EOT, Tokenizer
from speedrun.protocols import Rows

_Batch = tuple[Rows, "hashlib._Hash"]  # and the hash of all that was handed out up to it
QUEUE_BATCHES = 8
_CHUNK_DOCS = 16  # tokenized in one go: about 3,000 tokens of TinyStories
_SAVE_EVERY_DOCS = 4096
_HASHED_AT_ONCE = 1 << 20  # tokens that an earlier part of a run consumed


@dataclass(frozen=True, kw_only=True)
class Consumed:
    """The part of a stream that was handed out: what a verifier with the same data finds, too.

    `sha256` is that of the tokens in order, each as two bytes, the lower one first: from the
    end-of-text that begins the first row to the last target, rounds after the first included.
    """

    sha256: str
    num_dropped: int  # documents left out, as they equal a held-out one, among those consumed
    dropped_sha256: str  # of their texts in order, see `heldout.after`
    cache: Literal["cold", "partial", "warm"]  # none, some or all of the tokens were on disk


class TokenStream:
    """Batches of rows [batch_rows, context + 1] in the data set's own order.

    The worker reads ahead no further than its queue of batches.

    The tokens are end-of-text, document, end-of-text, document, … without padding; a row
    begins with the last token of the row before, so that every token is a target once.
    When the documents end, the stream goes round again and `epochs` says how often. With `rounds`
    it ends after so many: the last batch then has fewer rows, and one shorter row comes after it.
    """

    def __init__(
        self,
        source: Source,
        heldout: HeldOut,
        tokenizer: Tokenizer,
        cache: Path,
        *,
        context: int,
        batch_rows: int,
    ) -> None:
        self._source, self._heldout, self._tokenizer = source, heldout, tokenizer
        self._context, self._per_batch = context, batch_rows * context
        self.rounds: int | None = None  # None: for ever; set before it is entered
        parts = (source.train_fingerprint, heldout.fingerprint, tokenizer.fingerprint)
        identity = hashlib.sha256("".join(parts).encode()).hexdigest()
        # Local data are known by content: the same tokens serve them under any name.
        name = "local" if source.origin == "local" else source.name
        self._cache = TokenCache(cache / f"{name}-{tokenizer.vocab}-{identity[:16]}", identity)
        self.num_cached_at_start = self._cache.num_tokens
        self._was_whole = self._cache.exhausted
        self.num_consumed = 0  # target tokens handed out
        self.failure: str | None = None  # why the source stopped early, if it did
        self.has_bad_row = False  # and it is the documents' fault, not the network's
        self._documents: Documents | None = None
        self._ended = self._cache.exhausted
        self._num_unsaved = 0  # documents tokenized since the cache state was saved
        self._sha256 = hashlib.sha256()  # of what was handed out
        self._is_at_start = threading.Event()  # the worker has passed what a run before consumed
        self._queue: queue.Queue[_Batch | Exception] = queue.Queue(QUEUE_BATCHES)
        self._closing = threading.Event()
        self._worker = threading.Thread(target=self._produce, name="token-stream", daemon=True)

    def skip(self, num_consumed: int) -> None:
        """Begin after so many targets, which an earlier part of a run consumed; before entering."""
        self.num_consumed = num_consumed

    def __enter__(self) -> "TokenStream":
        self._worker.start()
        return self

    def wait(self) -> str:
        """Wait until it is where it begins; the hash of what comes before."""
        self._is_at_start.wait()
        return self._sha256.hexdigest()

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        if self._documents is not None:
            self._documents.interrupt()
        self._worker.join()
        self._cache.save()
        self._cache.close()
        if self._documents is not None:
            self._documents.close()

    def next_rows(self, timeout_s: float | None = None) -> Rows | None:
        """The next batch; None where none comes in time. Raises what the worker died of."""
        try:
            item = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        rows, self._sha256 = item
        self.num_consumed += rows[:, 1:].size
        return rows

    def consumed(self) -> Consumed:
        """Facts about the batches handed out so far; they do not depend on what was read ahead."""
        cache, epochs = self._cache, self.epochs
        dropped, seen = cache.dropped, min(self.num_consumed, cache.num_tokens - 1)
        # After a whole round those that come last are passed, too.
        is_round = epochs is not None and epochs >= 1 and self.failure is None
        num = len(dropped) if is_round else bisect_right(dropped, seen, key=lambda one: one[0])
        is_warm = self._was_whole or self.num_consumed < self.num_cached_at_start
        return Consumed(
            sha256=self._sha256.hexdigest(),
            num_dropped=num,
            dropped_sha256=dropped[num - 1][1] if num else NONE_DROPPED,
            cache="cold" if not self.num_cached_at_start else "warm" if is_warm else "partial",
        )

    @property
    def has_rebuilt_cache(self) -> bool:
        """Whether the tokens on disk were damaged, or edited, and are made again."""
        return self._cache.is_damaged

    @property
    def cache_problem(self) -> str | None:
        """Reason that the tokens are not kept for later runs; None where they are."""
        return self._cache.problem

    @property
    def epochs(self) -> float | None:
        """Rounds through the documents; None while their end was not reached."""
        return self.num_consumed / max(1, self._cache.num_tokens - 1) if self._ended else None

    def _produce(self) -> None:
        try:
            self._pass_by(self.num_consumed)
            self._is_at_start.set()
            sha256 = self._sha256.copy()
            for rows in self._batches(self.num_consumed):
                sha256.update(rows[:, 1:].astype("<u2").tobytes())
                # The queue is ahead of the training: each batch brings the hash up to it along.
                if not self._put((rows, sha256.copy())):
                    return
        except Exception as error:  # handed to the trainer, whatever it is
            self._put(error)
        finally:
            self._is_at_start.set()

    def _pass_by(self, num_targets: int) -> None:
        """Hash the first tokens, from the one that begins the first row to so many targets."""
        for start in range(0, num_targets + 1, _HASHED_AT_ONCE):
            tokens = self._tokens(start, min(start + _HASHED_AT_ONCE, num_targets + 1))
            self._sha256.update(tokens.astype("<u2").tobytes())

    def _batches(self, begin: int) -> Iterator[Rows]:
        context = self._context
        for start in itertools.count(begin, self._per_batch):
            tokens = self._tokens(start, start + self._per_batch + 1).astype(np.int32)
            if self._ended and self.rounds is not None:
                num_left = self.rounds * (self._cache.num_tokens - 1) - start
                if num_left < self._per_batch:
                    num_whole = num_left // context * context
                    if num_whole:
                        yield self._rows(tokens[: num_whole + 1])
                    if num_left > num_whole:
                        yield tokens[None, num_whole : num_left + 1]
                    return
            yield self._rows(tokens)

    def _rows(self, tokens: NDArray[np.int32]) -> Rows:
        rows = np.lib.stride_tricks.sliding_window_view(tokens, self._context + 1)
        return np.ascontiguousarray(rows[:: self._context])

    def _put(self, item: _Batch | Exception) -> bool:
        while not self._closing.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _tokens(self, start: int, stop: int) -> NDArray[np.uint16]:
        while not self._ended and self._cache.num_tokens < stop and not self._closing.is_set():
            self._tokenize_more()
        total = self._cache.num_tokens
        if stop <= total:
            return self._cache.read(start, stop)
        if self._ended and total < 2:
            raise SourceUnavailable(self.failure or "the training documents are all empty")
        # The closing end-of-text opens the next round, so that it is no target twice.
        return self._cache.read(0, total)[np.arange(start, stop) % max(1, total - 1)]

    def _tokenize_more(self) -> None:
        cache = self._cache
        try:
            if self._documents is None:
                self._documents = self._source.train(cache.source_state)
            documents = list(itertools.islice(self._documents, _CHUNK_DOCS))
        except (SourceUnavailable, ValueError, OSError) as error:
            if self._closing.is_set():  # interrupted: what has ended are not the documents
                return
            # Goes round again over what is there; the race says so and the record keeps it.
            self.failure, self._ended = str(error), True
            self.has_bad_row = not isinstance(error, SourceUnavailable)
            return
        mark = np.array([EOT], dtype=np.uint16)
        pieces = [mark[cache.num_tokens :]]  # the first of all
        num_tokens = max(1, cache.num_tokens)
        for document in filter(str.strip, documents):
            if self._heldout.has(document):
                last = cache.dropped[-1][1] if cache.dropped else NONE_DROPPED
                cache.dropped.append((num_tokens, after(last, document)))
                continue
            pieces += [self._tokenizer.encode(document), mark]
            num_tokens += len(pieces[-2]) + 1
        cache.append(np.concatenate(pieces))
        cache.source_state = self._documents.state()
        if len(documents) < _CHUNK_DOCS:
            cache.exhausted = self._ended = True
        self._num_unsaved += len(documents)
        if self._num_unsaved >= _SAVE_EVERY_DOCS or self._ended:
            cache.save()
            self._num_unsaved = 0
