"""The whole training loop: warm up, restore, start the clock, step, stop."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from speedrun.backends import common
from speedrun.config import Run
from speedrun.protocols import Engine, Rows
from speedrun.records.schema import EventKind
from speedrun.training.clock import BudgetClock

WARMUP_STEPS = 3
# The device is waited for about this often; closer to the end after every step.
SYNC_EVERY_S = 0.2
# A step may take this much longer than the longest of the recent ones and must still fit.
MARGIN = 1.05
CURVE_POINTS = 200

Status = Literal["complete", "interrupted", "diverged"]


class Stream(Protocol):
    """What the trainer draws from: `speedrun.data.loader.TokenStream`."""

    def next_rows(self, timeout_s: float | None = None) -> Rows | None:
        """The next batch; None if it does not come within `timeout_s` (None: wait for it)."""
        ...

    @property
    def epochs(self) -> float | None:
        """Rounds through the documents; None while their end was not reached."""
        ...


@dataclass
class Training:
    """How a training went."""

    status: Status = "complete"
    num_tokens: int = 0
    num_steps: int = 0
    loss_curve: list[tuple[float, float]] = field(default_factory=list)  # (share, nats)
    events: list[dict[str, Any]] = field(default_factory=list)

    def note(self, share: float, kind: EventKind, what: str) -> None:
        self.events.append({"share": round(share, 4), "kind": kind, "what": what})


@dataclass(frozen=True)
class Tick:
    """The state of a training after some steps, for whoever watches."""

    share: float
    spent_s: float
    loss_nats: float
    lr_scale: float
    num_tokens: int
    num_steps: int
    tokens_per_s: float


def train(
    engine: Engine,
    stream: Stream,
    clock: BudgetClock,
    run: Run,
    *,
    max_epochs: int | None = None,
    watch: Callable[[Tick], None] = lambda tick: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> Training:
    """Train until the budget ends, the loss is not finite, or a stop is requested.

    Or until the documents were read `max_epochs` times: then there is nothing left to learn.

    The steps on dummy rows come first and are undone; the clock starts after them.
    """
    training = Training()
    step_s = _warm_up(engine, clock, run, training)
    recent_s = [step_s] * 4
    num_steps = 1
    clock.start()
    while not stop_requested():
        predicted_s = MARGIN * max(recent_s[-8:])
        wanted = _num_steps_to_sync(clock, predicted_s, recent_s[-1], engine.finalize_s())
        # From one on, doubled at most: dummy rows do not show what real ones and their data take.
        num_steps = min(wanted, 2 * num_steps)
        if num_steps == 0 or _has_read_enough(stream, max_epochs):
            break
        waited_s = clock.accounts["data_wait"]
        reserve_s = predicted_s + engine.finalize_s()
        try:
            lr_scale = _advance(
                engine, stream, clock, run, training, num_steps, max_epochs, reserve_s
            )
        except _StreamEnded as ended:
            if training.num_steps == 0:
                raise ended.cause from None
            training.status = ended.status
            training.note(clock.share(), "data_ended", f"the data ended: {ended.cause}")
            break
        waited_s = clock.accounts["data_wait"] - waited_s
        recent_s.append(clock.tick(num_steps, waited_s) + waited_s / num_steps)
        loss = engine.train_loss()
        tick = _tick(clock, training, loss, lr_scale)
        training.loss_curve.append((tick.share, loss))
        watch(tick)
        if not math.isfinite(loss):
            training.status = "diverged"
            training.note(tick.share, "diverged", f"loss is {loss}")
            break
    else:
        training.status = "interrupted"
    engine.finalize()
    engine.sync()
    clock.stop()
    _note_end(training, clock, stream, max_epochs)
    training.loss_curve = thinned(training.loss_curve, CURVE_POINTS)
    return training


def _note_end(
    training: Training, clock: BudgetClock, stream: Stream, max_epochs: int | None
) -> None:
    if training.status == "complete" and _has_read_enough(stream, max_epochs):
        times = "once" if max_epochs == 1 else f"{max_epochs} times"
        share = f"{clock.share():.1%} of the budget"
        training.note(
            clock.share(), "epochs_done", f"every document was read {times}: ended at {share}"
        )
    if clock.suspended_s:
        training.note(
            1.0, "suspended", f"the machine slept or stood still for {clock.suspended_s:.1f} s"
        )


def _advance(
    engine: Engine,
    stream: Stream,
    clock: BudgetClock,
    run: Run,
    training: Training,
    num_steps: int,
    max_epochs: int | None,
    reserve_s: float,
) -> float:
    """Take some steps and wait for the device; return the last scale of the learning rate.

    No longer than leaves `reserve_s`, a step's time, is waited for data.
    """
    lr_scale = 0.0
    for _ in range(num_steps):
        if _has_read_enough(stream, max_epochs):
            break
        with clock.account("data_wait"):
            rows = _next_rows(stream, clock.budget_s - clock.spent_s() - reserve_s)
        lr_scale = run.recipe.lr_scale(clock.share())
        _step(engine, rows, lr_scale, clock, training)
        training.num_steps += 1
        training.num_tokens += rows.shape[0] * (rows.shape[1] - 1)
    engine.sync()
    return lr_scale


def _has_read_enough(stream: Stream, max_epochs: int | None) -> bool:
    return max_epochs is not None and (stream.epochs or 0.0) >= max_epochs


class _StreamEnded(Exception):
    """The data cannot go on, or too late; what was trained so far is still worth scoring."""

    def __init__(self, cause: OSError | ValueError, status: Status = "interrupted") -> None:
        self.cause = cause
        self.status: Status = status


def _next_rows(stream: Stream, timeout_s: float) -> Rows:
    try:
        rows = stream.next_rows(max(0.0, timeout_s))
    except (OSError, ValueError) as error:  # network, disk, text that is none
        raise _StreamEnded(error) from error
    if rows is None:  # the budget was spent, if on waiting
        raise _StreamEnded(ValueError("no more of it came within the budget"), "complete")
    return rows


def _warm_up(engine: Engine, clock: BudgetClock, run: Run, training: Training) -> float:
    """Compile and run on dummy rows, undo it all; return the seconds a step takes."""
    rng = np.random.default_rng(run.seed)
    shape = (run.recipe.batch_rows, run.model.context + 1)
    rows = rng.integers(0, run.model.vocab, shape, dtype=np.int32)
    with clock.account("compile" if engine.metadata().get("compiled") else "warmup"):
        _step(engine, rows, 1.0, clock, training)
        engine.sync()
    with clock.account("warmup"):
        times_s = []
        for _ in range(WARMUP_STEPS):
            before = clock.now()
            _step(engine, rows, 1.0, clock, training)
            engine.sync()
            times_s.append(clock.now() - before)
        engine.train_loss()
        engine.reset()
        engine.sync()
    return min(times_s)


def _step(
    engine: Engine, rows: Rows, lr_scale: float, clock: BudgetClock, training: Training
) -> None:
    """One step, in smaller pieces if the memory does not hold it."""
    for retry in common.step_with_retry(engine, rows, lr_scale):
        clock.excuse()
        training.note(
            clock.share(),
            "out_of_memory",
            f"out of memory ({retry.reason}); micro-batch now {retry.micro_batch_rows} rows",
        )


def _num_steps_to_sync(
    clock: BudgetClock, predicted_s: float, last_s: float, finalize_s: float
) -> int:
    """Steps until the device is waited for again; none if not even one fits before the end."""
    if not clock.fits(predicted_s + finalize_s):
        return 0
    wanted = max(1, int(SYNC_EVERY_S / max(last_s, 1e-6)))
    # Far from the end many may be under way; near it each is checked on its own.
    return wanted if clock.fits(predicted_s * 2 * wanted + finalize_s) else 1


def _tick(clock: BudgetClock, training: Training, loss: float, lr_scale: float) -> Tick:
    spent_s = clock.spent_s()
    return Tick(
        share=clock.share(),
        spent_s=spent_s,
        loss_nats=loss,
        lr_scale=lr_scale,
        num_tokens=training.num_tokens,
        num_steps=training.num_steps,
        tokens_per_s=training.num_tokens / max(spent_s, 1e-9),
    )


def thinned(curve: list[tuple[float, float]], num_points: int) -> list[tuple[float, float]]:
    """The curve averaged into at most `num_points` points of equal width in share."""
    if len(curve) <= num_points:
        return curve
    edges = np.linspace(0, len(curve), num_points + 1).astype(int)
    pieces = [curve[a:b] for a, b in itertools.pairwise(edges)]
    return [
        (sum(share for share, _ in piece) / len(piece), sum(loss for _, loss in piece) / len(piece))
        for piece in pieces
    ]
