"""Rank 0's engine, which has the engines of the other ranks do the same.

The harness talks to one engine and does not see the others: one clock, one stream of rows and
one record are those of rank 0. `obey` is what the other ranks do about what they are told.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedrun.distributed.group import Message, ProcessGroup, pack, unpack
from speedrun.protocols import Engine, OutOfMemory, Reader, Rows, Weights


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of `Engine.nats`."""

    rows: Rows
    seed: int
    prefix_length: int = 0
    shares: NDArray[np.float64] | None = None

    def nll(self, engine: Engine) -> NDArray[np.float64]:
        return engine.nll(self.rows, self.seed, self.prefix_length, self.shares)


class Leader:
    """See `speedrun.protocols.Engine`."""

    def __init__(self, engine: Engine, group: ProcessGroup) -> None:
        self._engine, self._team = engine, group
        self._facts: dict[str, Any] = group.metadata()

    # -- what every rank does

    def step(self, rows: Rows, lr_scale: float) -> None:
        with self._together("step", {"lr_scale": lr_scale}, rows):
            self._engine.step(rows, lr_scale)

    def reset(self) -> None:
        with self._together("reset"):
            self._engine.reset()

    def halve_micro_batch(self) -> int:
        micro_batch_rows = self._engine.halve_micro_batch()  # first: it may have no more to halve
        with self._together("halve_micro_batch"):
            return micro_batch_rows

    def share_weights(self) -> None:
        """Give every rank these weights to score with, and note how far theirs had come apart.

        All took the same steps, so that it should not be further than rounding goes.
        """
        weights = self._engine.weights()
        with self._together("weights", {"names": list(weights)}, *weights.values()):
            found = self._team.all_gather(pack("apart", {"apart": 0.0}))
        apart = max(unpack(answer).values["apart"] for answer in found)
        self._facts["weights_apart"] = apart

    def each_nats(self, jobs: Iterable[Job]) -> Iterator[NDArray[np.float64]]:
        """Nats of each job in their order; whole jobs go round the ranks, so that what comes
        out is what one process would have found."""
        rest = iter(jobs)
        while group := list(itertools.islice(rest, self._team.size)):
            described = [
                {
                    "seed": job.seed,
                    "prefix_length": job.prefix_length,
                    "drawn": job.shares is not None,
                }
                for job in group
            ]
            arrays = [a for job in group for a in (job.rows, job.shares) if a is not None]
            with self._together("nats", {"jobs": described}, *arrays):
                found = _answers(self._engine, self._team, group)
            yield from found

    def peak_bytes(self) -> int:
        """Of the rank that needed most."""
        with self._together("peak_bytes"):
            return _peak_bytes(self._engine, self._team)

    # -- what rank 0 does alone

    def sync(self) -> None:
        self._engine.sync()  # its last exchange waits for the others'

    def finalize_s(self) -> float:
        return self._engine.finalize_s()

    def finalize(self) -> None:
        self._engine.finalize()

    def train_loss(self) -> float:
        return self._engine.train_loss()  # summed over the ranks in every step

    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        shares: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        return self._engine.nll(rows, seed, prefix_length, shares)

    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        return self._engine.logits(tokens, steps)

    def reader(self) -> Reader:
        return self._engine.reader()

    def weights(self) -> Weights:
        return self._engine.weights()

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """For rank 0 alone, as in its checks; `reset` or `share_weights` brings all together."""
        self._engine.load(weights)

    def metadata(self) -> dict[str, Any]:
        return self._engine.metadata() | self._facts

    @contextlib.contextmanager
    def _together(
        self, what: str, values: Mapping[str, Any] | None = None, *arrays: NDArray[Any]
    ) -> Iterator[None]:
        """Tell the others, then do it here too; what goes wrong here alone breaks the team."""
        self._team.broadcast(pack(what, values, *arrays))
        try:
            yield
        except OutOfMemory:  # agreed on: all ranks are at the same point
            raise
        except BaseException:
            self._team.is_broken = True
            raise


def obey(engine: Engine, group: ProcessGroup, broadcast: Message) -> None:
    """Do on this rank what rank 0 told all to do."""
    if broadcast.what == "step":
        with contextlib.suppress(OutOfMemory):  # rank 0 has it too, and says what then
            engine.step(broadcast.arrays[0], broadcast.values["lr_scale"])
    elif broadcast.what == "reset":
        engine.reset()
    elif broadcast.what == "halve_micro_batch":
        engine.halve_micro_batch()
    elif broadcast.what == "weights":
        given, own = (
            dict(zip(broadcast.values["names"], broadcast.arrays, strict=True)),
            engine.weights(),
        )
        apart = max(float(np.abs(given[name] - own[name]).max()) for name in own)
        engine.load(given)
        group.all_gather(pack("apart", {"apart": apart}))
    elif broadcast.what == "nats":
        arrays = iter(broadcast.arrays)
        jobs = [
            Job(
                rows=next(arrays),
                seed=each["seed"],
                prefix_length=each["prefix_length"],
                shares=next(arrays) if each["drawn"] else None,
            )
            for each in broadcast.values["jobs"]
        ]
        _answers(engine, group, jobs)
    elif broadcast.what == "peak_bytes":
        _peak_bytes(engine, group)
    else:
        raise LookupError(f"rank 0 told {broadcast.what!r}, which this code does not know")


def _answers(engine: Engine, group: ProcessGroup, jobs: list[Job]) -> list[NDArray[np.float64]]:
    """Nats of all jobs, of which each rank finds its own."""
    own = [jobs[group.rank].nll(engine)] if group.rank < len(jobs) else []
    found = group.all_gather(pack("nats", None, *own))
    return [unpack(answer).arrays[0] for answer in found[: len(jobs)]]


def _peak_bytes(engine: Engine, group: ProcessGroup) -> int:
    found = group.all_gather(pack("peak", {"bytes": engine.peak_bytes()}))
    return max(unpack(answer).values["bytes"] for answer in found)


def share_weights(engine: Engine) -> None:
    """Before scores are taken: every rank of a team scores the same weights, those of rank 0."""
    if isinstance(engine, Leader):
        engine.share_weights()


def each_nats(engine: Engine, jobs: Iterable[Job]) -> Iterator[NDArray[np.float64]]:
    """Nats of each job in their order; the ranks of a team take turns."""
    if isinstance(engine, Leader):
        yield from engine.each_nats(jobs)
    else:
        for job in jobs:
            yield job.nll(engine)
