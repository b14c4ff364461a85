"""Scores of models that can only be bounded: a fixed number of noise draws of every window."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.backends.targets import stratified_timesteps
from speedrun.evaluation.scorer import Scorer, ScoringBatch
from speedrun.evaluation.windows import Window

_BATCH_TOKENS = 8192
STRATA = 4  # draws in one replicate, one in each quarter of the noise process
# Fixed: a number that depends on the draws is a biased score, one that depends on a clock makes
# the score a property of the machine. With these the draws' error is below half the documents'.
NUM_REPLICATES = 4
NUM_DRAWS = STRATA * NUM_REPLICATES


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
    """Draw replicates of `STRATA` stratified draws.

    Replicates are independent, so their spread gives the error that draws leave; within one the
    strata are not, and their spread would overstate it.
    """

    def replicate(number: int) -> NDArray[np.float64]:
        def advance(share: float) -> None:
            watch((number + share) / NUM_REPLICATES)

        return _replicate(scorer, docs, todo, [seed, number], advance)

    nats_RD = np.stack([replicate(number) for number in range(NUM_REPLICATES)])
    mc_se = math.sqrt(float(nats_RD.var(axis=0, ddof=1).sum()) / NUM_REPLICATES)
    return Drawn(nats_RD.mean(axis=0), mc_se)


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
