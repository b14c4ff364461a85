"""Saving checkpoints of a race under way, on its clock."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Engine
from speedrun.training.checkpoints import checkpoint
from speedrun.training.checkpoints.checkpoint import Checkpoint, Identity, Progress
from speedrun.training.clock import BudgetClock
from speedrun.training.divergence import LossWatch
from speedrun.training.progress import Training
from speedrun.training.request import RunRequest
from speedrun.training.runs.run_dir import RunDirectory
from speedrun.training.validation import Validation


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Sources of a checkpoint's content, on rank 0."""

    request: RunRequest
    identity: Identity
    directory: RunDirectory
    consumed: Callable[[], tuple[int, str]]  # targets, and the hash of the tokens so far
    host: Callable[[], dict[str, Any]]  # so far
    energy: Callable[[], dict[str, Any]]  # so far
    validation: Validation | None
    notice: Callable[[str], object]
    on_save: Callable[[], object]  # a checkpoint is there to go on with


class Saver:
    """Saves a checkpoint now and then; all ranks call it together, rank 0 writes."""

    def __init__(
        self, every_s: float, clock: BudgetClock, group: ProcessGroup, sources: Sources | None
    ) -> None:
        self._every_s, self._clock, self._group, self._sources = every_s, clock, group, sources
        self._cost_s = 0.0  # of the last one
        self._last_s = clock.spent_s()
        self._num = 0
        self._spent_s = 0.0

    def try_out(self, engine: Engine, training: Training, losses: LossWatch) -> None:
        """Save one off the clock, to know what it takes."""
        is_saved = self._save(engine, training, losses)
        if self._sources is not None and not training.num_steps:
            self._sources.directory.drop_checkpoint()
        elif self._sources is not None and is_saved:
            self._sources.on_save()

    def is_due(self) -> bool:
        """Whether it is time for one, and enough of the budget is left for it."""
        is_time = self._clock.spent_s() - self._last_s >= self._every_s
        return is_time and self._clock.fits(2 * self._cost_s)

    def save(self, engine: Engine, training: Training, losses: LossWatch) -> None:
        """Save one; where the disk does not take it, an older one stays and the race goes on."""
        before_s = self._clock.now()
        if self._save(engine, training, losses) and self._sources is not None:
            self._sources.on_save()
        self._last_s, self._num = self._clock.spent_s(), self._num + 1
        self._spent_s += self._clock.now() - before_s
        self._clock.excuse()

    def facts(self) -> dict[str, Any]:
        """Its part of the record's `train.engine`: number, and seconds on the clock."""
        return {"checkpoints": self._num, "checkpoints_s": round(self._spent_s, 3)}

    def _save(self, engine: Engine, training: Training, losses: LossWatch) -> bool:
        before_s, is_saved = self._clock.now(), False
        random_states = self._group.gather(engine.random_state())
        if self._sources is not None:
            is_saved = self._write(self._sources, engine, training, losses, random_states)
        self._cost_s = self._clock.now() - before_s
        return is_saved

    def _write(
        self,
        sources: Sources,
        engine: Engine,
        training: Training,
        losses: LossWatch,
        random_states: list[dict[str, Any]],
    ) -> bool:
        state = engine.state()
        if state is None:
            self._every_s = math.inf
            sources.notice("No checkpoints: a counted model has none.")
            return False
        arrays = {f"engine/{name}": array for name, array in state.arrays.items()}
        arrays["loss_curve"] = np.array(training.loss_curve, dtype=np.float64).reshape(-1, 2)
        kept = None
        if sources.validation is not None:
            kept, weights = sources.validation.state()
            arrays |= {f"validation/{name}": array for name, array in weights.items()}
        facts = checkpoint.facts(
            request=checkpoint.request_content(sources.request),
            identity=sources.identity,
            progress=self._progress(sources, training, losses, kept),
            engine=dict(state.facts),
            random_states=random_states,
        )
        try:
            sources.directory.checkpoint(Checkpoint(facts=facts, arrays=arrays).to_bytes())
        except OSError as error:
            sources.notice(f"A checkpoint could not be written ({error.strerror}).")
            return False
        return True

    def _progress(
        self,
        sources: Sources,
        training: Training,
        losses: LossWatch,
        validation: dict[str, Any] | None,
    ) -> Progress:
        clock, (num_consumed, sha256) = self._clock, sources.consumed()
        return Progress(
            spent_s=clock.spent_s(),
            accounts=dict(clock.accounts),
            suspended_s=clock.suspended_s,
            num_tokens=training.num_tokens,
            num_steps=training.num_steps,
            events=training.events,
            resumes=training.resumes,
            losses=losses.state(),
            num_consumed=num_consumed,
            consumed_sha256=sha256,
            host=sources.host(),
            energy=sources.energy(),
            validation=validation,
        )
