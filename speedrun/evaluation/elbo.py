"""Scores of models that can only be bounded: as many noise draws as make their error small."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.backends.targets import stratified_timesteps
from speedrun.evaluation.scorer import Scorer, ScoringBatch
from speedrun.evaluation.windows import Window, ratio

_BATCH_TOKENS = 8192
STRATA = 4  # draws in one replicate, one in each quarter of the noise process
# The most is a number of replicates and not of seconds: a rule that reads a clock would make the
# score a property of the machine, and whoever is slower would be scored with fewer draws.
MIN_REPLICATES, MAX_REPLICATES = 2, 32
# Replicates are added until the draws' error is below this share of the documents'.
ERROR_SHARE = 1 / 3


@dataclass(frozen=True)
class Drawn:
    """Bounds of documents, and what the draws leave open."""

    nats: NDArray[np.float64]  # [documents], the mean over the draws
    mc_se: float  # standard error of their sum that more draws would lower, in nats
    num_draws: int  # for each window of each document


def draw(
    scorer: Scorer,
    docs: Sequence[NDArray[np.int32]],
    todo: Sequence[Window],
    num_bytes: NDArray[np.float64],
    seed: int,
    watch: Callable[[float], None],
) -> Drawn:
    """Draw replicates of `STRATA` stratified draws until they are precise enough.

    Replicates are independent, so their spread gives the error that draws leave; within one the
    strata are not, and their spread would overstate it.
    """
    replicates: list[NDArray[np.float64]] = []
    expected = 2 * MIN_REPLICATES  # a guess, until the first ones show their spread

    def advance(share: float) -> None:
        watch((len(replicates) + share) / max(expected, len(replicates) + 1))

    while True:
        replicates.append(_replicate(scorer, docs, todo, [seed, len(replicates)], advance))
        if len(replicates) < MIN_REPLICATES:
            continue
        stacked_RD = np.stack(replicates)
        mean_D = stacked_RD.mean(axis=0)
        mc_se = math.sqrt(float(stacked_RD.var(axis=0, ddof=1).sum()) / len(stacked_RD))
        document_se = ratio(mean_D, num_bytes)[1] * float(num_bytes.sum())
        if mc_se <= ERROR_SHARE * document_se or len(replicates) == MAX_REPLICATES:
            watch(1.0)
            return Drawn(mean_D, mc_se, STRATA * len(replicates))
        expected = _expected(len(replicates), mc_se, ERROR_SHARE * document_se)


def _expected(done: int, error: float, wanted: float) -> int:
    """Replicates that will be needed in all: their error falls with the root of their number."""
    if not (math.isfinite(error) and wanted > error / math.sqrt(MAX_REPLICATES)):
        return MAX_REPLICATES
    return min(MAX_REPLICATES, math.ceil(done * (error / wanted) ** 2))


def _replicate(
    scorer: Scorer,
    docs: Sequence[NDArray[np.int32]],
    todo: Sequence[Window],
    seed: list[int],
    watch: Callable[[float], None],
) -> NDArray[np.float64]:
    """One estimate [documents] in nats, unbiased, from `STRATA` draws of every window."""
    rng, batches = np.random.default_rng([*seed, 0xB0B]), list(_alike(todo))

    def scoring() -> Iterator[ScoringBatch]:
        for batch in batches:
            rows = np.stack([docs[w.doc][w.start : w.stop] for w in batch])
            shares = np.concatenate([stratified_timesteps(STRATA, rng) for _ in batch])
            yield ScoringBatch(
                rows=np.repeat(rows, STRATA, axis=0),
                seed=int(rng.integers(2**31)),
                prefix_length=batch[0].first,
                shares=shares,
            )

    nats, done = np.zeros(len(docs), dtype=np.float64), 0
    for batch, drawn in zip(batches, scorer.nll(scoring()), strict=True):
        sums = drawn.sum(axis=1).reshape(len(batch), STRATA).mean(axis=1)
        np.add.at(nats, [w.doc for w in batch], sums)
        done += len(batch)
        watch(done / len(todo))
    return nats


def _alike(todo: Sequence[Window]) -> Iterator[list[Window]]:
    """Batches of windows of one length and one number of given tokens, longest first.

    A network that reads in both directions would see padding, so there is none.
    """
    groups: dict[tuple[int, int], list[Window]] = defaultdict(list)
    for window in todo:
        groups[window.stop - window.start, window.first].append(window)
    for (length, _), group in sorted(groups.items(), reverse=True):
        size = max(1, _BATCH_TOKENS // (length * STRATA))
        yield from (group[i : i + size] for i in range(0, len(group), size))


def length_nats(num_tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    """The price of telling how long documents are, in nats.

    A next-token model pays for a document's end when it predicts it; one that is handed all
    places at once is told the length. It pays -ln P(n), P(n) = n^-1/4 - (n + 1)^-1/4: proper
    over all n from 1 on, about 8 nats at 200 tokens, and without constants of any data set.
    """
    return -np.log(num_tokens**-0.25 - (num_tokens + 1) ** -0.25)
