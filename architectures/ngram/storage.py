"""Levels as named arrays and back: what is stored is what counts as parameters.

n-grams are stored by count, and then every distinct count once with the number of n-grams that
have it: one number an n-gram, and few besides. For the n-grams of k tokens:

    ngrams.k       int64 [n]     keys, by count and then by key
    counts.k       int64 [2, m]  distinct counts; how many n-grams have each
    lost.k         int64 [c]     contexts after which something was pruned, by what it counted
    lost_counts.k  int64 [2, l]  distinct sums of it; how many contexts have each
    discounts.k    float32 [3]   D1, D2, D3+

Empty arrays are left out: an untrained model stores nothing.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from architectures.ngram.kneser_ney import Ints, Level

_PAIRS = (("ngrams", "counts"), ("lost", "lost_counts"))
_MOST_DISCOUNTED = (1, 2, 3)  # a discount takes no more than the count that it is of
_MAX_TOTAL = 2.0**53  # sums of counts are exact in float64 up to here


def num_stored(level: Level) -> int:
    """Numbers that a level's arrays hold."""
    num_lost = int(np.count_nonzero(level.lost))
    num_runs = len(np.unique(level.counts[level.counts > 0]))
    num_runs += len(np.unique(level.lost[level.lost > 0]))
    return int(np.count_nonzero(level.counts)) + num_lost + 2 * num_runs + len(level.discounts)


def stored(levels: list[Level]) -> dict[str, NDArray[Any]]:
    """The levels as named arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    for k, level in enumerate(levels, start=1):
        arrays[f"ngrams.{k}"], arrays[f"counts.{k}"] = _by_value(level.keys, level.counts)
        contexts = np.arange(len(level.lost))
        arrays[f"lost.{k}"], arrays[f"lost_counts.{k}"] = _by_value(contexts, level.lost)
        arrays[f"discounts.{k}"] = level.discounts.astype(np.float32)
    return {name: array for name, array in arrays.items() if array.size}


def restored(arrays: Mapping[str, NDArray[Any]], order: int, vocab: int) -> list[Level]:
    """The levels of named arrays; ValueError where they do not fit together."""
    names = {f"{name}.{k}" for pair in _PAIRS for name in pair for k in range(1, order + 1)}
    names |= {f"discounts.{k}" for k in range(1, order + 1)}
    if odd := sorted(arrays.keys() - names):
        raise ValueError(f"weights do not fit the model: {', '.join(odd[:4])}")
    levels, num_contexts = [], 1
    for k in range(1, order + 1):
        keys, counts = _pair(arrays, "ngrams", "counts", k, num_contexts * vocab)
        contexts, sums = _pair(arrays, "lost", "lost_counts", k, num_contexts)
        lost = np.zeros(num_contexts, dtype=np.int64)
        lost[contexts] = sums
        if k == 1:
            by_id = np.zeros(vocab, dtype=np.int64)
            by_id[keys] = counts
            keys, counts = np.arange(vocab), by_id
        d = np.asarray(arrays.get(f"discounts.{k}", np.zeros(3)), dtype=np.float64)
        if d.shape != (3,):
            raise ValueError(f"weight 'discounts.{k}' has shape {d.shape}, expected (3,)")
        levels.append(Level(keys, counts, lost, d))
        num_contexts = len(keys)
    return levels


def check(arrays: Mapping[str, NDArray[Any]], order: int, vocab: int) -> None:
    """Raise ValueError unless arrays are such as `stored` makes, and give distributions.

    With counts above 0 and no more discounted than each, what a context gives to its tokens and
    to its backoff adds up to 1.
    """
    levels = restored(arrays, order, vocab)
    for k, level in enumerate(levels, start=1):
        d = level.discounts
        if arrays and not ((d > 0) & (d <= _MOST_DISCOUNTED)).all():  # NaN is neither
            raise ValueError(
                f"weight 'discounts.{k}' holds {', '.join(f'{one:g}' for one in d)}: allowed are"
                " numbers above 0, up to 1, 2 and 3"
            )
    for name, array in stored(levels).items() if arrays else ():
        found = arrays.get(name, np.empty(0))
        if found.dtype != array.dtype or not np.array_equal(found, array):
            raise ValueError(f"weight {name!r} is not as counts are stored: in order, each once")


def _by_value(ids: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Ids of positive values, by value; and the distinct values with how many have each."""
    ids, values = ids[values > 0], values[values > 0]
    order = np.argsort(values, kind="stable")
    return ids[order], np.stack(np.unique(values, return_counts=True)).astype(np.int64)


def _pair(
    arrays: Mapping[str, NDArray[Any]], name: str, runs_name: str, k: int, num_ids: int
) -> tuple[Ints, Ints]:
    """Ids in order and the value of each."""
    ids = _integers(arrays, f"{name}.{k}", (0,))
    runs = _integers(arrays, f"{runs_name}.{k}", (2, 0))
    is_paired = runs.ndim == 2 and len(runs) == 2 and not (runs < 1).any()
    # Each on its own first: the sum of numbers made for it comes round to a small one.
    is_paired = is_paired and not (runs[1] > ids.size).any()
    if is_paired and runs[0].astype(np.float64) @ runs[1] > _MAX_TOTAL:
        raise ValueError(f"weight '{runs_name}.{k}' holds counts that no text is long enough for")
    if not is_paired or ids.shape != (runs[1].sum(),):
        raise ValueError(
            f"weight '{name}.{k}' has shape {ids.shape}, which '{runs_name}.{k}' of shape"
            f" {runs.shape} does not share out"
        )
    order = np.argsort(ids)
    ids, values = ids[order], np.repeat(runs[0], runs[1])[order]
    if len(ids) and (ids[0] < 0 or ids[-1] >= num_ids or (ids[1:] == ids[:-1]).any()):
        raise ValueError(f"weight '{name}.{k}' does not fit the model: a key is none of its keys")
    return ids, values


def _integers(arrays: Mapping[str, NDArray[Any]], name: str, empty: tuple[int, ...]) -> Ints:
    array = arrays.get(name, np.empty(empty, dtype=np.int64))
    if array.dtype.kind not in "iu":
        raise ValueError(f"weight {name!r} is of type {array.dtype}, expected integers")
    return array.astype(np.int64)
