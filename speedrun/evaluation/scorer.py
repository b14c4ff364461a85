"""Batches of rows scored by one engine, or in turn by those of all ranks."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Engine, Rows


@dataclass(frozen=True, kw_only=True)
class ScoringBatch:
    """The arguments of one call of `Engine.nll`."""

    rows: Rows
    seed: int
    prefix_length: int = 0
    shares: NDArray[np.float64] | None = None  # [rows]: diffusion times in (0, 1]


class ScoreNotFinite(ValueError):
    """The model gives held-out text a probability of zero, or none at all."""


@dataclass(frozen=True)
class Scorer:
    """An engine that scores, and the ranks that it shares batches with."""

    engine: Engine
    group: ProcessGroup = field(default_factory=ProcessGroup)

    def nll(self, batches: Iterable[ScoringBatch]) -> Iterator[NDArray[np.float64]]:
        """Nats of each batch [rows, context], in order and the same on every rank.

        Every rank must iterate over the same batches, in `ProcessGroup.lockstep`. Whole batches
        go round the ranks, so that the result is that of a single process to the last bit.
        Raises ScoreNotFinite at the first that is none.
        """
        rest, group = iter(batches), self.group
        while turn := list(itertools.islice(rest, group.size)):
            own = self._nll(turn[group.rank]) if group.rank < len(turn) else None
            for nats in group.gather(own)[: len(turn)]:
                if num_bad := int((~np.isfinite(nats)).sum()):
                    raise ScoreNotFinite(f"{num_bad} of {nats.size} held-out scores are not finite")
                yield nats

    def _nll(self, batch: ScoringBatch) -> NDArray[np.float64]:
        return self.engine.nll(batch.rows, batch.seed, batch.prefix_length, batch.shares)


def take_weights_of_rank_0(scorer: Scorer) -> float | None:
    """Load rank 0's weights on every rank; returns the largest difference that was found.

    All ranks took the same steps, so it should be no more than rounding. None for one process.
    """
    engine, group = scorer.engine, scorer.group
    if group.size == 1:
        return None
    weights = group.decide(engine.weights)
    with group.lockstep():
        own = engine.weights()
        apart = max(float(np.abs(weights[name] - own[name]).max()) for name in own)
        if group.rank > 0:
            engine.load(weights)
        return max(group.gather(apart))
