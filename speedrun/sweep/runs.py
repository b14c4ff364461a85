"""Many races, one after another until none is left.

Each race is a process of its own: what kills it (memory, a crash) does not take the sweep down,
and its memory is given back.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from leaderboard.record import OFF_CLOCK, Record
from speedrun.plan.recorded import USUAL_OFF_S
from speedrun.sweep import racing
from speedrun.sweep.child import Ended, race_alone
from speedrun.sweep.folder import Failure, agree, failures, note_failure, records, settle
from speedrun.sweep.grid import Grid, Plan, Planned, arguments


class Watcher(Protocol):
    """Who is told how the sweep goes: `speedrun.sweep.view`."""

    def state(self, state: "State") -> None: ...
    def done(self, run: Planned, record: Record, state: "State") -> None: ...
    def failed(self, run: Planned, failure: Failure, state: "State") -> None: ...


@dataclass
class State:
    """How far the sweep is."""

    plan: Plan
    done: dict[tuple, Record]
    failed: dict[tuple, Failure] = field(default_factory=dict)
    stopped: dict[tuple, Failure] = field(default_factory=dict)  # by racing
    running: Planned | None = None
    doing: str = ""  # the last line of the race under way
    since: float = 0.0

    @property
    def left(self) -> list[Planned]:
        """Runs that are neither done nor failed nor stopped nor under way."""
        over = self.done.keys() | self.failed.keys() | self.stopped.keys()
        return [run for run in self.plan.runs if run.key not in over and run != self.running]

    def left_s(self) -> float:
        """Seconds until all is done, if it goes on as it went."""
        off = [_off_clock_s(record) for record in self.done.values()]
        each_s = statistics.median(off) if off else USUAL_OFF_S
        total = sum(60 * run.minutes + each_s for run in self.left)
        if self.running is not None:
            gone_s = time.monotonic() - self.since
            total += max(0.0, 60 * self.running.minutes + each_s - gone_s)
        return total


def _off_clock_s(record: Record) -> float:
    return sum(getattr(record.clock, name) for name in OFF_CLOCK)


class Race(Protocol):
    """What runs one race: `race_alone`, or a test's stand-in."""

    def __call__(
        self,
        arguments: Sequence[str],
        out: Path,
        hear: Callable[[str], None],
        has_lost: Callable[[racing.Curve], bool] | None = None,
    ) -> Ended: ...


def run_all(
    planned: Plan, watcher: Watcher, race: Race = race_alone, *, is_racing: bool = False
) -> State:
    """Race what is left, one after another; a run that fails is noted and the rest go on.

    With `is_racing` runs that cannot win any more are stopped, and those stopped before are not
    raced again.
    """
    out = planned.grid.out
    agree(out, planned.shared, _grid(planned.grid))
    state = State(planned, planned.done(records(out)[0]))
    settle(out, state.done)
    if is_racing:
        state.stopped = {key: f for key, f in failures(out).items() if f.stopped_at is not None}
    watcher.state(state)
    for run in list(state.left):
        _one(run, state, watcher, race, is_racing)
    watcher.state(state)
    return state


def _one(run: Planned, state: State, watcher: Watcher, race: Race, is_racing: bool) -> None:
    """One race and what became of it."""
    planned, out = state.plan, state.plan.grid.out
    state.running, state.doing, state.since = run, "starting", time.monotonic()
    field = _field(run, state) if is_racing else []

    def hear(line: str) -> None:
        state.doing = line
        watcher.state(state)

    def has_lost(curve: racing.Curve) -> bool:
        return racing.has_lost(run.params, curve, field)

    ended = race(arguments(run, planned.grid), out, hear, has_lost if is_racing else None)
    state.running = None
    record = planned.done(records(out)[0]).get(run.key)
    if record is not None:
        state.done[run.key] = record
        settle(out, [run.key])
        watcher.done(run, record, state)
        return
    error = ended.error or "ended without a record that counts"
    if ended.stopped_at is not None:
        error = f"stopped by racing at {ended.stopped_at:.0%} of its budget: it could not win"
    failure = Failure(
        arch=run.name, params=run.params, minutes=run.minutes, seed=run.seed,
        exit_code=ended.exit_code, error=error, stopped_at=ended.stopped_at,
    )  # fmt: skip
    note_failure(out, failure)
    (state.failed if ended.stopped_at is None else state.stopped)[run.key] = failure
    watcher.failed(run, failure, state)


def _field(run: Planned, state: State) -> list[racing.Raced]:
    """The finished runs of the same architecture and budget."""
    return [
        racing.Raced(other.params, record.train.loss_curve, record.score.bits_per_byte)
        for other in state.plan.runs
        if (other.name, other.minutes) == (run.name, run.minutes)
        and (record := state.done.get(other.key)) is not None
        and record.score is not None
    ]


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "archs": list(grid.archs), "params": list(grid.params), "minutes": list(grid.minutes),
        "seeds": grid.num_seeds,
    }  # fmt: skip
