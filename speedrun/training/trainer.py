"""The training loop: warm up, undo it, start the clock, step until the budget is spent."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from speedrun.backends import common
from speedrun.config import Run
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Engine, OutOfMemory, Rows, UnfairModelError
from speedrun.records.curves import thinned
from speedrun.records.sections import Event, EventKind
from speedrun.training import divergence
from speedrun.training.clock import BudgetClock
from speedrun.training.divergence import LossWatch
from speedrun.training.progress import Status, Tick, Training
from speedrun.training.validation import Validation

WARMUP_STEPS = 3
# Seconds between synchronisations with the device; near the end every step is waited for.
SYNC_EVERY_S = 0.2
# A step may take this much longer than the longest of the recent ones and must still fit.
MARGIN = 1.05
_NUM_RECENT = 8
CURVE_POINTS = 200


class Checkpoints(Protocol):
    """Checkpoints of a race: `speedrun.training.checkpoints.saver.Saver`."""

    def try_out(self, engine: Engine, training: Training, losses: LossWatch) -> None:
        """Save one off the clock."""

    def is_due(self) -> bool:
        """Whether it is time for one; asked on rank 0."""
        ...

    def save(self, engine: Engine, training: Training, losses: LossWatch) -> None:
        """Save one, on the clock; called on every rank."""


class Stream(Protocol):
    """The source of batches: `speedrun.data.loader.TokenStream`."""

    def next_rows(self, timeout_s: float | None = None) -> Rows | None:
        """The next batch; None if there is none within `timeout_s` (None: wait for it)."""

    @property
    def epochs(self) -> float | None:
        """Passes over the documents; None while their end was not reached."""


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """The settings and surroundings of one training."""

    run: Run
    clock: BudgetClock  # rank 0's counts
    stream: Stream | None  # None on the other ranks
    group: ProcessGroup = field(default_factory=ProcessGroup)
    max_epochs: int | None = None  # training is complete after so many passes over the documents
    advice: str = ""  # what to change where training diverges
    least_first_nats: float = 0.0  # a first loss below it is of weights that come trained
    validation: Validation | None = None  # of `--keep best`; of one process only
    checkpoints: Checkpoints | None = None
    # Puts engine and training where an earlier part of the race left them; on every rank.
    restore: Callable[[Engine, Training], LossWatch] | None = None
    on_start: Callable[[], object] = lambda: None  # of the clock
    on_tick: Callable[[Tick], object] = lambda tick: None
    stop_requested: Callable[[], bool] = lambda: False
    notice: Callable[[str], object] = lambda text: None
    events: Sequence[Event] = ()  # before training


def train(engine: Engine, job: TrainingJob) -> Training:
    """Train until the budget or the data ends, the loss diverges, or a stop is requested.

    Steps on dummy rows come first and are undone; the clock starts after them. Every rank of the
    group calls this; rank 0 decides on rows, learning rate, number of steps and the end.
    """
    return _Trainer(engine, job).train()


class _Trainer:
    def __init__(self, engine: Engine, job: TrainingJob) -> None:
        self._engine, self._job, self._clock = engine, job, job.clock
        self._training = Training(events=list(job.events))
        self._recent_s: deque[float] = deque(maxlen=_NUM_RECENT)  # seconds of a step
        self._num_steps = 1  # until the next synchronisation
        self._finalize_s = 0, 0.0  # steps at the last plan, and what `finalize` would take then
        self._reserve_s = 0.0  # of the budget, for a step and what `finalize` does
        self._is_over = False
        self._losses = LossWatch(job.run.model.vocab, 0.0)

    def train(self) -> Training:
        engine, clock, training = self._engine, self._clock, self._training
        self._note_compiler("compile_cache", "cache_unavailable")
        with self._job.group.lockstep(agreed=OutOfMemory):
            self._warm_up()
        self._note_compiler("compile_error", "not_compiled", "training without compilation: ")
        self._note_compiler("kernel_error", "kernels_dropped", "training without kernels: ")
        self._go_on()
        self._job.on_start()
        clock.start()
        while num_steps := self._job.group.decide(self._plan):
            self._advance(num_steps)
            self._save(lambda checkpoints: checkpoints.is_due())
        self._save(lambda checkpoints: training.status == "interrupted")
        engine.finalize()
        engine.sync()
        if self._job.validation is not None and training.status != "diverged":
            self._job.validation.finish(training.num_steps)
        clock.stop()
        self._note_end()
        training.loss_curve = thinned(training.loss_curve, CURVE_POINTS)
        return training

    def _warm_up(self) -> None:
        engine, clock, run = self._engine, self._clock, self._job.run
        shape = (run.recipe.batch_rows, run.model.context + 1)
        rows = np.random.default_rng(run.seed).integers(0, run.model.vocab, shape, dtype=np.int32)

        def step_s() -> float:
            before = clock.now()
            self._step(rows, 1.0)
            engine.sync()
            return clock.now() - before

        with clock.account("compile" if engine.metadata().get("compiled") else "warmup"):
            step_s()
            self._losses = LossWatch(run.model.vocab, engine.train_loss())
        with clock.account("warmup"):
            self._recent_s.append(min(step_s() for _ in range(WARMUP_STEPS)))
            if self._job.validation is not None:
                self._job.validation.warm_up()
            engine.reset()
            engine.sync()

    def _go_on(self) -> None:
        """Go on from a checkpoint where the race has one; try to write one where it will."""
        job, engine = self._job, self._engine
        with self._clock.account("startup"):
            if job.restore is not None:
                self._losses = job.restore(engine, self._training)
            if job.checkpoints is not None:
                job.checkpoints.try_out(engine, self._training, self._losses)

    def _save(self, is_wanted: Callable[[Checkpoints], bool]) -> None:
        """Save a checkpoint where rank 0 wants one."""
        checkpoints = self._job.checkpoints
        if checkpoints is not None and self._job.group.decide(lambda: is_wanted(checkpoints)):
            checkpoints.save(self._engine, self._training, self._losses)

    def _note_compiler(self, fact: str, kind: EventKind, what: str = "") -> None:
        if (why := self._engine.metadata().get(fact)) is not None:
            self._training.note(0.0, kind, what + why)
            self._job.notice(what + why)

    def _plan(self) -> int:
        """Number of steps until the next synchronisation; 0 ends the training."""
        if not self._is_over and self._job.stop_requested():
            self._is_over, self._training.status = True, "interrupted"
        if self._is_over:
            return 0
        clock, predicted_s = self._clock, MARGIN * max(self._recent_s)
        wanted = max(1, int(SYNC_EVERY_S / max(self._recent_s[-1], 1e-6)))
        # Doubled at most: dummy rows do not show how long real rows and their data take.
        num_steps = min(wanted, 2 * self._num_steps)
        # Far from the end many steps may be in flight; near it each is checked on its own.
        if not clock.fits(predicted_s * 2 * num_steps + self._end_s(num_steps)):
            num_steps = 1
        self._reserve_s = predicted_s + self._end_s(num_steps)
        if not clock.fits(self._reserve_s) or self._has_read_enough():
            return 0
        self._num_steps = num_steps
        self._finalize_s = self._training.num_steps, self._engine.finalize_s()
        return num_steps

    def _end_s(self, num_steps: int) -> float:
        """Seconds to keep for what comes after `num_steps` more steps.

        Fast steps may double what `finalize` has to do; it grows as with the last ones, or slower.
        """
        done, finalize_s = self._training.num_steps, self._engine.finalize_s()
        since, before_s = self._finalize_s
        growth_s = max(0.0, finalize_s - before_s) / (done - since) if done > since else 0.0
        validation = self._job.validation
        kept_s = validation.reserve_s() if validation is not None else 0.0
        return finalize_s + growth_s * num_steps + kept_s

    def _advance(self, num_steps: int) -> None:
        job, clock, training = self._job, self._clock, self._training
        waited_s, num_taken, lr_scale = clock.accounts["data_wait"], 0, 0.0
        while num_taken < num_steps:
            batch = job.group.decide(self._next_batch)
            if batch is None:
                break
            rows, lr_scale = batch
            with job.group.lockstep(agreed=OutOfMemory):
                self._step(rows, lr_scale)
            num_taken += 1
            training.num_steps += 1
            training.num_tokens += rows.shape[0] * (rows.shape[1] - 1)
        if num_taken:
            self._engine.sync()
            waited_s = clock.accounts["data_wait"] - waited_s
            step_s = clock.tick(num_taken, waited_s) + waited_s / num_taken
            self._recent_s.append(step_s)
            self._report(self._engine.train_loss(), lr_scale)
        if job.validation is not None and not self._is_over and job.validation.is_due():
            job.validation.take(training.num_steps)

    def _next_batch(self) -> tuple[Rows, float] | None:
        """Rows and the scale of the learning rate; None where the data ends or comes too late."""
        job, clock = self._job, self._clock
        assert job.stream is not None, "only rank 0 has a stream"
        if self._has_read_enough():
            return None
        timeout_s = max(0.0, clock.budget_s - clock.spent_s() - self._reserve_s)
        try:
            with clock.account("data_wait"):
                rows = job.stream.next_rows(timeout_s)
        except (OSError, ValueError) as error:  # network, disk, text that is none
            self._end_data(error, f"the data ended: {error}", "interrupted")
            return None
        if rows is None:  # the budget was spent, if on waiting
            what = self._what_took_the_budget()
            self._end_data(ValueError(what), what, "complete")
            return None
        return rows, job.run.recipe.lr_scale(clock.share())

    def _end_data(self, cause: OSError | ValueError, what: str, status: Status) -> None:
        """End a training that has steps worth scoring; else raise the cause."""
        if self._training.num_steps == 0:
            raise cause
        self._is_over, self._training.status = True, status
        self._training.note(self._clock.share(), "data_ended", what)

    def _what_took_the_budget(self) -> str:
        parts = [f"{self._clock.accounts['data_wait']:.1f} s went on waiting for data"]
        if finalize_s := self._engine.finalize_s():
            parts.append(f"{finalize_s:.1f} s are kept to turn the counts into a model")
        return f"the budget was spent before the next rows came: {', '.join(parts)}"

    def _has_read_enough(self) -> bool:
        stream, most = self._job.stream, self._job.max_epochs
        return most is not None and stream is not None and (stream.epochs or 0.0) >= most

    def _step(self, rows: Rows, lr_scale: float) -> None:
        retries = common.step_with_retry(self._engine, rows, lr_scale)
        if retries:  # smaller pieces are compiled again, which is no stall
            self._engine.sync()
            self._clock.excuse()
        for retry in retries:
            what = f"out of memory ({retry.reason}); micro-batch now {retry.micro_batch_rows} rows"
            self._training.note(self._clock.share(), "out_of_memory", what)

    def _report(self, loss: float, lr_scale: float) -> None:
        training, share, spent_s = self._training, self._clock.share(), self._clock.spent_s()
        least = self._job.least_first_nats
        if not training.loss_curve and loss < least:
            raise UnfairModelError(
                "initial weights are trained, or training shows the model its targets: the first"
                f" loss is {loss:.3f} nats a token, and guessing costs"
                f" ln {self._job.run.model.vocab} (allowed {least:.3f})"
            )
        training.loss_curve.append((share, loss))
        tick = Tick(
            share=share,
            loss_nats=loss,
            lr_scale=lr_scale,
            num_tokens=training.num_tokens,
            num_steps=training.num_steps,
            spent_s=spent_s,
            tokens_per_s=training.num_tokens / max(spent_s, 1e-9),
        )
        self._job.on_tick(tick)
        if (problem := self._losses.problem(share, loss)) is not None:
            self._is_over = True
            training.diverge(share, problem, self._job.advice)

    def _note_end(self) -> None:
        clock, training, max_epochs = self._clock, self._training, self._job.max_epochs
        if training.status != "diverged":
            problem = self._losses.problem_at_end() or divergence.of_weights(self._engine.weights())
            if problem is not None:
                training.diverge(clock.share(), problem, self._job.advice)
        for event in training.events:
            if event.kind == "diverged":
                self._job.notice(f"training diverged: {event.what}.")
        if training.status == "complete" and self._has_read_enough():
            times = "once" if max_epochs == 1 else f"{max_epochs} times"
            what = f"every document was read {times}: ended at {clock.share():.1%} of the budget"
            training.note(clock.share(), "epochs_done", what)
        if clock.suspended_s:
            what = f"the machine slept or stood still for {clock.suspended_s:.1f} s"
            training.note(1.0, "suspended", what)
