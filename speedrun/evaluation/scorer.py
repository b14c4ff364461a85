"""Batches of rows scored by one engine, or in turn by those of all ranks."""

import bisect
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter

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
    where: NDArray[np.bool_] | None = None  # [rows, context]: targets that count; None: all


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A row and what scoring made of it."""

    row: NDArray[np.int32]  # [context + 1]
    nats: NDArray[np.float64]  # [context]
    seed: int
    prefix_length: int = 0
    shares: NDArray[np.float64] | None = None  # [1]
    where: NDArray[np.bool_] | None = None  # [context]: targets that counted; None: all

    @property
    def counted(self) -> NDArray[np.intp]:
        """Places of the targets that counted, the first of which costs `nats[0]`."""
        return np.arange(len(self.nats)) if self.where is None else np.flatnonzero(self.where)


class Witness:
    """A random sample of the rows that are scored, which no model can foresee.

    `first_rows_only` takes the first row of a batch: the noise of a diffusion model's others may
    depend on where they stand.
    """

    def __init__(self, size: int, first_rows_only: bool) -> None:
        self._size, self._first_rows_only = size, first_rows_only
        self._rng = np.random.default_rng()
        self._keyed: list[tuple[float, Scored]] = []
        self.least_nats = float("inf")

    @property
    def kept(self) -> list[Scored]:
        """The sample, in random order."""
        return [one for _, one in self._keyed]

    def note(self, batch: ScoringBatch, nats: NDArray[np.float64]) -> None:
        """Keep rows of a batch that was scored, each with equal probability."""
        self.least_nats = min(self.least_nats, float(nats.min()))
        for index in range(1 if self._first_rows_only else len(nats)):
            key = float(self._rng.random())
            if len(self._keyed) == self._size:
                if key > self._keyed[-1][0]:
                    continue
                self._keyed.pop()
            one = Scored(
                row=batch.rows[index].copy(),
                nats=nats[index].copy(),
                seed=batch.seed,
                prefix_length=batch.prefix_length,
                shares=None if batch.shares is None else batch.shares[index : index + 1],
                where=None if batch.where is None else batch.where[index].copy(),
            )
            bisect.insort(self._keyed, (key, one), key=itemgetter(0))


class ScoreNotFinite(ValueError):
    """The model gives held-out text a probability of zero, or none at all."""


@dataclass(frozen=True)
class Scorer:
    """An engine that scores, and the ranks that it shares batches with."""

    engine: Engine
    group: ProcessGroup = field(default_factory=ProcessGroup)
    witness: Witness | None = None

    def nll(self, batches: Iterable[ScoringBatch]) -> Iterator[NDArray[np.float64]]:
        """Nats of each batch [rows, context], in order and the same on every rank.

        Every rank must iterate over the same batches, in `ProcessGroup.lockstep`. Whole batches
        go round the ranks, so that the result is that of a single process to the last bit.
        Raises ScoreNotFinite at the first that is none.
        """
        rest, group = iter(batches), self.group
        while turn := list(itertools.islice(rest, group.size)):
            own = self._nll(turn[group.rank]) if group.rank < len(turn) else None
            for batch, nats in zip(turn, group.gather(own), strict=False):
                if num_bad := int((~np.isfinite(nats)).sum()):
                    raise ScoreNotFinite(f"{num_bad} of {nats.size} held-out scores are not finite")
                if self.witness is not None:
                    self.witness.note(batch, nats)
                yield nats

    def _nll(self, batch: ScoringBatch) -> NDArray[np.float64]:
        given = (batch.rows, batch.seed, batch.prefix_length, batch.shares, batch.where)
        return self.engine.nll(*given)


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
