"""The n-gram model in NumPy: counts rows, then gives every token its probability.

Shapes: B rows, T tokens, V vocab, N = B x T places.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from architectures.ngram.config import Config
from architectures.ngram.counting import EOT, Counter
from architectures.ngram.kneser_ney import Floats, Ints, find, shares, smoothed
from architectures.ngram.packing import FIRST, Packing
from architectures.ngram.pruning import fitted
from architectures.ngram.storage import check, restored, stored

MAX_ENTRIES = 1 << 24  # different windows held while counting, or as many as may be stored
_TRIAL_SHAPE = (600, 257)
_PRIOR = 12.0  # tokens that the next shorter history's word is worth in the running loss


class Model:
    """Counts, and the probabilities that `finalize` makes of them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._packing = Packing(config.order, config.vocab)
        self._max_entries = max(MAX_ENTRIES, config.max_params)
        self._counter = Counter(self._packing, self._max_entries)
        self._is_finished = False
        self.load({})

    @classmethod
    def trial(cls, config: Config) -> "Model":
        """A small model that has counted made-up rows, more than it may keep."""
        rng = np.random.default_rng(0)
        # Cubed: as with words, few ids are frequent.
        rows = (config.vocab * rng.random(_TRIAL_SHAPE) ** 3).astype(np.int32)
        least = min(config.max_params, max(100_000, 4 * config.vocab))
        made = cls(dataclasses.replace(config, max_params=least))
        made.count(rows)
        return made

    # -- counting

    def count(self, rows: NDArray[np.int32]) -> None:
        """Count rows [B, T + 1]; MemoryError leaves everything as it was."""
        self._counter.add(rows)
        self._is_finished = False

    @property
    def num_entries(self) -> int:
        """Number of entries that `finalize` has to process."""
        return len(self._counter) + self._counter.num_waiting

    def make_room(self) -> None:
        """Hold half as many different windows from now on."""
        self._counter.max_entries //= 2

    def running_nats(self, rows: NDArray[np.int32]) -> float:
        """Mean nats of rows under the counts sorted in so far, smoothed the plain way.

        Each history's counts take the shorter history's word as so many tokens more (MacKay &
        Peto 1995): no discounts are needed, so it can be had at any time. A little worse than
        what `finalize` will make of the same counts.
        """
        tokens = rows.astype(np.int64)
        targets = tokens[:, 1:].ravel()
        symbols = targets + FIRST
        word = np.full(len(targets), 1 / self._config.vocab)
        is_whole = np.ones(len(targets), dtype=bool)
        history: list[Ints] = []
        for length in range(self._config.order):
            if length:
                oldest = np.full(tokens[:, 1:].shape, -1)
                oldest[:, length - 1 :] = tokens[:, : max(0, tokens.shape[1] - length)]
                is_whole &= oldest.ravel() >= 0
                history = [np.maximum(oldest.ravel(), 0) + FIRST, *history]
            both = self._counter.count([*history, symbols])
            all_seen = self._counter.count_followed(history) if length else self._counter.num_sorted
            better = (both + _PRIOR * word) / (all_seen + _PRIOR)
            word = np.where(is_whole, better, word)
            if length:
                is_whole &= history[0] != EOT + FIRST
        return float(-np.log(word).mean())

    def finalize(self) -> None:
        """Turn the counts into probabilities; they stay as they are until more is counted."""
        if self._is_finished:
            return
        vocab = self._config.vocab
        whole = smoothed(self._counter.finalize(), self._packing, vocab)
        self._set(stored(fitted(whole, vocab, self._config.max_params)))
        self._is_finished = True

    # -- scoring

    @property
    def max_history(self) -> int:
        """Tokens that a prediction looks back on at most."""
        return self._config.order - 1

    def nll(self, rows: NDArray[np.int32]) -> Floats:
        """Nats of the targets [B, T] of rows [B, T + 1]."""
        self.finalize()
        tokens, histories = rows.astype(np.int64), self._histories(rows)
        targets = tokens[:, 1:]
        probability = self._unigram[targets]
        for keys, share, backoff, history in self._levels(histories):
            before = history[:, :-1]
            at = find(keys, np.where(before < 0, -1, before * self._config.vocab + targets))
            probability = probability * backoff[before] + share[at]
        return -np.log(probability)

    def log_probs(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """Log-probabilities [B, T, V] of the tokens that follow."""
        self.finalize()
        vocab, places = self._config.vocab, tokens.size
        probability = np.tile(self._unigram, (places, 1))
        for keys, share, backoff, history in self._levels(self._histories(tokens)):
            place = np.flatnonzero(history.ravel() >= 0)
            context = history.ravel()[place]
            probability[place] *= backoff[context, None]
            start = np.searchsorted(keys, context * vocab)
            length = np.searchsorted(keys, (context + 1) * vocab) - start
            row = np.repeat(place, length)
            ends = np.cumsum(length)
            at = np.arange(len(row)) + np.repeat(start - (ends - length), length)
            probability[row, keys[at] % vocab] += share[at]
        return np.log(probability).astype(np.float32).reshape(*tokens.shape, vocab)

    def _histories(self, tokens: NDArray[np.int32]) -> list[Ints]:
        """Index [B, T] of the last 1, 2, … tokens at every place as a history; -1: is none."""
        ids = tokens.astype(np.int64)
        out = [ids]
        for keys, _, _ in self._tables[: self._config.order - 2]:
            before = np.full(ids.shape, -1, dtype=np.int64)
            before[:, 1:] = out[-1][:, :-1]
            found = find(keys, np.where(before < 0, -1, before * self._config.vocab + ids))
            # One that ends with an end-of-text was counted with nothing after it: all backoff.
            out.append(found)
        return out

    def _levels(self, histories: list[Ints]) -> Iterator[tuple[Ints, Floats, Floats, Ints]]:
        """Keys, shares, backoffs and histories, from bigrams up."""
        return ((*table, history) for table, history in zip(self._tables, histories, strict=True))

    # -- state

    def weights(self) -> dict[str, NDArray[Any]]:
        """Copies of the stored arrays, by name; finalizes first."""
        self.finalize()
        return {name: array.copy() for name, array in self._arrays.items()}

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take these n-grams in place of whatever was counted; ValueError for impossible ones."""
        if (num := sum(array.size for array in weights.values())) > self._config.max_params:
            raise ValueError(
                f"weights do not fit the model: {num} numbers, at most {self._config.max_params}"
            )
        check(weights, self._config.order, self._config.vocab)
        self._set(dict(weights))
        self._counter = Counter(self._packing, self._max_entries)
        self._is_finished = True

    def _set(self, arrays: dict[str, NDArray[Any]]) -> None:
        vocab = self._config.vocab
        levels = restored(arrays, self._config.order, vocab)
        share, backoff = shares(levels[0], vocab)
        self._arrays = arrays
        self._unigram = share + backoff[0] / vocab
        # One more at the end, for -1: no n-gram has no share, no history leaves all to the next.
        self._tables = []
        for level in levels[1:]:
            share, backoff = shares(level, vocab)
            self._tables.append((level.keys, np.append(share, 0.0), np.append(backoff, 1.0)))
