"""Keeping the n-grams that matter most, at most as many numbers as asked for.

An n-gram matters as much as the training text would lose without it: how often it was seen,
times how much likelier it makes its token than the shorter n-gram with its share of the backoff
does (weighted difference; Seymore & Rosenfeld 1996). Counts and discounts stay those of the
whole text: smoothing what pruning has left would break them (Chelba et al. 2010).
"""

import numpy as np

from architectures.ngram.kneser_ney import Floats, Level, Smoothed, shares
from architectures.ngram.storage import num_stored


def fitted(whole: Smoothed, vocab: int, max_stored: int) -> list[Level]:
    """The most valuable n-grams that take at most `max_stored` numbers."""
    if sum(map(num_stored, whole.levels)) <= max_stored:
        return whole.levels
    gains = _gains(whole, vocab)
    kept, gone = _sorted_bounds(whole.levels, gains, vocab)
    room = max_stored - num_stored(whole.levels[0])
    while True:
        levels = _pruned(whole.levels, gains, vocab, _limit(kept, gone, room))
        excess = sum(map(num_stored, levels)) - max_stored
        if excess <= 0:
            return levels
        room -= excess  # the runs of counts, which the bounds leave out


def _gains(whole: Smoothed, vocab: int) -> list[Floats]:
    """Value of each n-gram in nats of the training text, or of the best that it leads to."""
    share, backoff = shares(whole.levels[0], vocab)
    lower = first = share + backoff[0] / vocab
    gains = [np.full(vocab, np.inf)]
    for level, seen, link in zip(whole.levels[1:], whole.seen[1:], whole.shorter[1:], strict=True):
        share, backoff = shares(level, vocab)
        context, token = np.divmod(level.keys, vocab)
        shorter = np.where(link >= 0, lower[link], first[token])
        lower = share + backoff[context] * shorter
        gains.append(seen * np.log(lower / ((share + backoff[context]) * shorter)))
    for i in range(len(gains) - 1, 1, -1):
        starts, parents = _families(whole.levels[i], vocab)
        best = np.maximum.reduceat(gains[i], starts)
        gains[i - 1][parents] = np.maximum(gains[i - 1][parents], best)
    return gains


def _families(level: Level, vocab: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices at which the context of sorted n-grams changes, and the contexts."""
    context = level.keys // vocab
    is_first = np.ones(len(context), dtype=bool)
    is_first[1:] = context[1:] != context[:-1]
    starts = np.flatnonzero(is_first)
    return starts, context[starts]


def _sorted_bounds(levels: list[Level], gains: list[Floats], vocab: int) -> tuple[Floats, Floats]:
    """Sorted limits: below each of the first a number is kept, of the second one is spared.

    An n-gram is kept below its gain. A context stores what it lost below the gain of its best
    n-gram, unless nothing was cut and the limit is below the gain of its worst.
    """
    kept, spared = [], []
    for level, gain in zip(levels[1:], gains[1:], strict=True):
        starts, contexts = _families(level, vocab)
        if len(starts):
            kept += [gain, np.maximum.reduceat(gain, starts)]
            spared.append(np.minimum.reduceat(gain, starts)[level.lost[contexts] == 0])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(spared))


def _limit(kept: Floats, spared: Floats, room: int) -> float:
    """The lowest gain at which what is kept fits."""
    low, high = 0, len(kept) - 1
    while low < high:
        middle = (low + high) // 2
        limit = kept[middle]
        num_kept = len(kept) - np.searchsorted(kept, limit)
        num_spared = len(spared) - np.searchsorted(spared, limit)
        if num_kept - num_spared > room:
            low = middle + 1
        else:
            high = middle
    return float(kept[low]) if room > 0 else np.inf


def _pruned(levels: list[Level], gains: list[Floats], vocab: int, limit: float) -> list[Level]:
    """The levels without what is worth less than `limit`; contexts are numbered anew."""
    out = [levels[0]]
    place = np.arange(vocab)
    for level, gain in zip(levels[1:], gains[1:], strict=True):
        kept = gain >= limit
        context, token = np.divmod(level.keys, vocab)
        gone = np.bincount(context[~kept], level.counts[~kept], len(level.lost)).astype(np.int64)
        keys = place[context[kept]] * vocab + token[kept]
        lost = (level.lost + gone)[place >= 0]
        # Without any n-gram of its own a context is all backoff.
        lost[np.bincount(keys // vocab, minlength=len(lost)) == 0] = 0
        out.append(Level(keys, level.counts[kept], lost, level.discounts))
        place = np.where(kept, np.cumsum(kept) - 1, -1)
    return out
