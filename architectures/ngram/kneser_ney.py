"""From counted windows to the n-grams of interpolated modified Kneser-Ney smoothing.

Chen & Goodman (1999), "An empirical study of smoothing techniques for language modeling",
equations 27-33:

    P(w | h) = (c(h w) - D) / T(h) + backoff(h) P(w | h without its oldest token)

c of the longest n-grams is how often they were seen; of shorter ones in how many different
tokens they follow, and how often they were seen where a document begins and nothing can stand
before. D depends on whether c is 1, 2 or more; T(h) is the sum of c over what follows h, and
backoff(h) what is left of 1. We depart from the paper in two places: after pruning, the mass of
the n-grams that are gone is in the backoff; and T keeps what they counted.

An n-gram of k tokens is known by its key, (index of its first k - 1 tokens) × vocab + last token,
where the index is its place among the n-grams of that length in order of their keys.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from architectures.ngram.counting import Table
from architectures.ngram.packing import CUT, FIRST, Packing

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """All n-grams of one length, in order of their keys."""

    keys: Ints
    counts: Ints  # the c of the formula
    lost: Ints  # of each shorter n-gram: what was pruned after it
    discounts: Floats  # D for c = 1, 2, 3 and more


def find(keys: Ints, wanted: Ints) -> Ints:
    """Places of the wanted keys in sorted ones; -1 where there is none."""
    if not len(keys):
        return np.full(wanted.shape, -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def discounts(counts: Ints, num_lost: int) -> Floats:
    """D1, D2, D3+ from how many n-grams were seen once to four times (equation 26)."""
    n1, n2, n3, n4 = (float((counts == c).sum()) for c in (1, 2, 3, 4))
    n1 += num_lost  # what was cut was rare
    if not (n1 and n2):
        return np.array([0.5, 0.5, 0.5], dtype=np.float32).astype(np.float64)
    y = n1 / (n1 + 2 * n2)
    if n3 and n4:
        d = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    else:
        d = np.array([y, y, y])
    # Stored as float32, so used as float32.
    d = np.clip(d, 0.05, [0.95, 1.95, 2.95])
    return d.astype(np.float32).astype(np.float64)


def shares(level: Level, vocab: int) -> tuple[Floats, Floats]:
    """(c - D) / T of every n-gram, and the backoff of every n-gram one token shorter."""
    context = level.keys // vocab
    discount = np.concatenate(([0.0], level.discounts))[np.minimum(level.counts, 3)]
    num_contexts = len(level.lost)
    total = np.bincount(context, level.counts, num_contexts) + level.lost
    left = np.bincount(context, discount, num_contexts) + level.lost
    backoff = np.divide(left, total, out=np.ones(num_contexts), where=total > 0)
    # An id that was never seen counts 0, of 0 at the very start.
    return (level.counts - discount) / np.maximum(total, 1)[context], backoff


@dataclass(frozen=True)
class Smoothed:
    """The n-grams of every length, and what pruning needs to know of them."""

    levels: list[Level]
    seen: list[Ints]  # how often each n-gram was seen
    shorter: list[Ints]  # where it stands one level lower without its oldest token; -1: was cut


def smoothed(table: Table, packing: Packing, vocab: int) -> Smoothed:
    """All n-grams of the counted windows with their Kneser-Ney counts and discounts."""
    keys, seen, lost = _prefixes(table, packing, vocab)
    shorter = _without_oldest(keys, vocab)
    counts = _kneser_ney_counts(keys, seen, shorter, vocab)
    levels = [
        Level(k, c, gone, discounts(c, int(gone.sum())))
        for k, c, gone in zip(keys, counts, lost, strict=True)
    ]
    return Smoothed(levels, seen, shorter)


def _prefixes(
    table: Table, packing: Packing, vocab: int
) -> tuple[list[Ints], list[Ints], list[Ints]]:
    """Keys, how often seen and lost of the windows' prefixes; length 1 has all `vocab` ids."""
    windows, seen = table.keys, table.counts
    keys, sums, lost = [np.arange(vocab)], [], [np.zeros(1, dtype=np.int64)]
    is_new = np.zeros(len(windows), dtype=bool)
    is_new[:1] = True
    parent = np.zeros(len(windows), dtype=np.int64)
    for i in range(packing.order):
        digit = packing.digit(windows, i)
        is_new[1:] |= digit[1:] != digit[:-1]
        if i:  # what is no token now ends here, or was cut
            was_cut = digit == CUT
            counts = np.bincount(parent[was_cut], seen[was_cut], len(keys[-1]))
            lost.append(counts.astype(np.int64))
        is_token = digit >= FIRST
        # A node that began at an entry that ends here begins at the next one all the same: its
        # digit is another.
        windows, seen, parent = windows[is_token], seen[is_token], parent[is_token]
        is_new, digit = is_new[is_token], digit[is_token] - FIRST
        if i == 0:
            index = digit
        else:
            index = np.cumsum(is_new) - 1
            keys.append(parent[is_new] * vocab + digit[is_new])
        sums.append(np.bincount(index, seen, len(keys[-1])).astype(np.int64))
        parent = index
    return keys, sums, lost


def _without_oldest(keys: list[Ints], vocab: int) -> list[Ints]:
    links = [np.zeros(vocab, dtype=np.int64), keys[1] % vocab]
    for i in range(2, len(keys)):
        parent, token = np.divmod(keys[i], vocab)
        context = links[-1][parent]
        links.append(find(keys[i - 1], np.where(context < 0, -1, context * vocab + token)))
    return links


def _kneser_ney_counts(
    keys: list[Ints], seen: list[Ints], shorter: list[Ints], vocab: int
) -> list[Ints]:
    """c of the formula at every length."""
    out = []
    num_opening = 1  # n-grams that begin with end-of-text: the first ones
    for i in range(len(keys) - 1):
        above = shorter[i + 1]
        num_different = np.bincount(above[above >= 0], minlength=len(keys[i]))
        counts = np.maximum(num_different, seen[i] > 0)
        if i:
            num_opening = int(np.searchsorted(keys[i], num_opening * vocab))
            counts[:num_opening] = seen[i][:num_opening]
        out.append(counts)
    return [*out, seen[-1]]
