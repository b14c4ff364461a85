"""Scores of models that can only be bounded: a fixed number of noise draws of every window.

A draw of a row at a time in (0, 1] estimates its bound, and every time is drawn evenly: the mean
over draws is unbiased whatever the model. All below lowers its variance, and none its mean.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.evaluation.scorer import Scorer, ScoringBatch
from speedrun.evaluation.windows import Window

_BATCH_TOKENS = 8192
PAIR = 2  # draws in one replicate, at times v and 1 - v
# Fixed: a number that depends on the draws is a biased score, one that depends on a clock makes
# the score a property of the machine. With these the draws' error is below half the documents'.
NUM_REPLICATES = 2
NUM_DRAWS = PAIR * NUM_REPLICATES
_DEGREE = 3  # of the polynomial in time that is taken off
_MIN_ROWS = 32  # that it is fitted to


@dataclass(frozen=True)
class Drawn:
    """Bounds of documents, and what the draws leave open."""

    nats: NDArray[np.float64]  # [documents], the mean over the draws
    mc_se: float  # standard error of their sum that more draws would lower, in nats


def draw(
    scorer: Scorer,
    docs: Sequence[NDArray[np.int32]],
    todo: Sequence[Window],
    seed: int,
    watch: Callable[[float], None],
) -> Drawn:
    """Draw replicates of a pair of draws each.

    Replicates are independent, so their spread gives the error that draws leave; the two of a
    pair are not, and their spread would overstate it.
    """

    def replicate(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        def advance(share: float) -> None:
            watch((number + share) / NUM_REPLICATES)

        return _replicate(scorer, docs, todo, [seed, number], advance)

    found = [replicate(number) for number in range(NUM_REPLICATES)]
    sums_RWP, shares_RWP = (np.stack(arrays) for arrays in zip(*found, strict=True))
    nats_RWP = sums_RWP - _expected(sums_RWP, shares_RWP, todo)
    nats_RD = np.zeros((NUM_REPLICATES, len(docs)))
    for nats_D, nats_W in zip(nats_RD, nats_RWP.mean(axis=2), strict=True):
        np.add.at(nats_D, [window.doc for window in todo], nats_W)
    mc_se = math.sqrt(float(nats_RD.var(axis=0, ddof=1).sum()) / NUM_REPLICATES)
    return Drawn(nats_RD.mean(axis=0), mc_se)


def _replicate(
    scorer: Scorer,
    docs: Sequence[NDArray[np.int32]],
    todo: Sequence[Window],
    seed: list[int],
    watch: Callable[[float], None],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nats of every window [windows, PAIR] in a pair of draws, and the times of these.

    What a bound costs at a time is nearly a line in time, which cancels between v and 1 - v.
    """
    rng, batches = np.random.default_rng([*seed, 0xB0B]), list(_alike(todo))
    shares_WP = 1.0 - rng.random((len(todo), 1))
    shares_WP = np.hstack((shares_WP, np.maximum(1.0 - shares_WP, 1e-9)))

    def scoring() -> Iterator[ScoringBatch]:
        for batch in batches:
            windows = [todo[index] for index in batch]
            rows = np.stack([docs[w.doc][w.start : w.stop] for w in windows])
            yield ScoringBatch(
                rows=np.repeat(rows, PAIR, axis=0),
                seed=int(rng.integers(2**31)),
                prefix_length=windows[0].first,
                shares=shares_WP[batch].ravel(),
            )

    sums_WP, done = np.zeros_like(shares_WP), 0
    for batch, drawn in zip(batches, scorer.nll(scoring()), strict=True):
        sums_WP[batch] = drawn.sum(axis=1).reshape(-1, PAIR)
        done += len(batch)
        watch(done / len(todo))
    return sums_WP, shares_WP


def _expected(
    sums_RWP: NDArray[np.float64], shares_RWP: NDArray[np.float64], todo: Sequence[Window]
) -> NDArray[np.float64]:
    """Nats [R, W, P] by which a draw at its time is expected to lie above the mean over times.

    A polynomial in time whose mean over (0, 1] is zero, fitted by least squares to the other half
    of the documents: as draws of a document never meet what was fitted to them, it has the mean
    zero in the score, too (a control variate; Owen 2013, chapter 8).
    """
    num_targets_W = np.array([window.stop - window.start - 1 - window.first for window in todo])
    powers = np.arange(1, _DEGREE + 1)
    basis = num_targets_W[:, None, None] * (shares_RWP[..., None] ** powers - 1 / (powers + 1))
    level = np.broadcast_to(num_targets_W[:, None, None], basis[..., :1].shape)
    side_W = np.array([window.doc % 2 for window in todo])
    expected_RWP = np.zeros_like(sums_RWP)
    for side in (0, 1):
        others = side_W != side
        scale_W11 = np.sqrt(num_targets_W[others])[:, None, None]
        known = np.concatenate((level, basis), axis=-1)[:, others] / scale_W11
        if known[..., 0].size >= _MIN_ROWS:
            sums = sums_RWP[:, others] / scale_W11[..., 0]
            fitted = np.linalg.lstsq(known.reshape(-1, _DEGREE + 1), sums.ravel())[0]
            expected_RWP[:, ~others] = basis[:, ~others] @ fitted[1:]
    return expected_RWP


def _alike(todo: Sequence[Window]) -> Iterator[list[int]]:
    """Indices of windows of one length and one number of given tokens in batches, longest first.

    A network that reads in both directions would see padding, so there is none.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, window in enumerate(todo):
        groups[window.stop - window.start, window.first].append(index)
    for (length, _), group in sorted(groups.items(), reverse=True):
        size = max(1, _BATCH_TOKENS // (length * PAIR))
        yield from (group[i : i + size] for i in range(0, len(group), size))


def length_nats(num_tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    """The price of telling how long documents are, in nats.

    A next-token model pays for a document's end when it predicts it; one that is handed all
    places at once is told the length. It pays -ln P(n), P(n) = n^-1/4 - (n + 1)^-1/4: proper
    over all n from 1 on, about 8 nats at 200 tokens, and without constants of any data set.
    """
    return -np.log(num_tokens**-0.25 - (num_tokens + 1) ** -0.25)
