"""Many races, one after another; `speedrun.sweep.scheduler` races several at once.

Each race is a process of its own: what kills it (memory, a crash) does not take the sweep down,
and its memory is given back.
"""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from speedrun.plan.cluster import USUAL_OFF_S
from speedrun.records.schema import OFF_CLOCK, Record
from speedrun.sweep import early_stopping
from speedrun.sweep.child import Ended, race_alone
from speedrun.sweep.grid import Grid, Plan, Planned, arguments
from speedrun.sweep.sweep_dir import Failure, agree, failures, note_failure, records, settle


class Watcher(Protocol):
    """Who is told how the sweep goes: `speedrun.sweep.live`."""

    def notice(self, text: str) -> None: ...
    def state(self, state: "State") -> None: ...
    def done(self, run: Planned, record: Record, state: "State") -> None: ...
    def failed(self, run: Planned, failure: Failure, state: "State") -> None: ...


@dataclass
class UnderWay:
    """A race that runs now."""

    run: Planned
    where: str = ""  # the machine, if it is another
    doing: str = "starting"  # its last line
    since: float = field(default_factory=time.monotonic)


@dataclass
class State:
    """How far the sweep is."""

    plan: Plan
    done: dict[tuple, Record]
    failed: dict[tuple, Failure] = field(default_factory=dict)
    stopped: dict[tuple, Failure] = field(default_factory=dict)  # by racing
    running: dict[tuple, UnderWay] = field(default_factory=dict)
    num_devices: int = 1  # that race at the same time

    @property
    def left(self) -> list[Planned]:
        """Runs that are neither done nor failed nor stopped nor under way."""
        over = self.done.keys() | self.failed.keys() | self.stopped.keys() | self.running.keys()
        return [run for run in self.plan.runs if run.key not in over]

    def left_s(self) -> float:
        """Seconds until all is done, if it goes on as it went."""
        off = [_off_clock_s(record) for record in self.done.values()]
        each_s = statistics.median(off) if off else USUAL_OFF_S
        now_s = time.monotonic()
        running = [
            max(0.0, 60 * race.run.minutes + each_s - (now_s - race.since))
            for race in self.running.values()
        ]
        total = sum(running) + sum(60 * run.minutes + each_s for run in self.left)
        return max(total / self.num_devices, *running, 0.0)


def _off_clock_s(record: Record) -> float:
    return sum(getattr(record.clock, name) for name in OFF_CLOCK)


class Race(Protocol):
    """What runs one race: `race_alone`, or a test's stand-in."""

    def __call__(
        self,
        arguments: Sequence[str],
        out: Path,
        hear: Callable[[str], None],
        has_lost: Callable[[early_stopping.Curve], bool] | None = None,
    ) -> Ended: ...


def run_all(
    planned: Plan, watcher: Watcher, race: Race = race_alone, *, is_racing: bool = False
) -> State:
    """Race what is left, one after another; a run that fails is noted and the rest go on.

    With `is_racing` runs that cannot win any more are stopped, and those stopped before are not
    raced again.
    """
    state = begin(planned, watcher, is_racing)
    for run in state.left:
        _one(run, state, watcher, race, is_racing)
    watcher.state(state)
    return state


def begin(planned: Plan, watcher: Watcher, is_racing: bool) -> State:
    """What is left to race; ValueError if the folder's runs were made with other settings."""
    out = planned.grid.out
    agree(out, planned.shared, _grid(planned.grid))
    state = State(planned, planned.done(records(out)[0]))
    settle(out, state.done)
    if is_racing:
        state.stopped = {key: f for key, f in failures(out).items() if f.stopped_at is not None}
    watcher.state(state)
    return state


def _one(run: Planned, state: State, watcher: Watcher, race: Race, is_racing: bool) -> None:
    out = state.plan.grid.out
    under_way = state.running[run.key] = UnderWay(run)

    def hear(line: str) -> None:
        under_way.doing = line
        watcher.state(state)

    judge = loses(run, state) if is_racing else None
    conclude(run, race(arguments(run, state.plan.grid), out, hear, judge), state, watcher)


def conclude(run: Planned, ended: Ended, state: State, watcher: Watcher) -> None:
    """What became of a race that is over: a record that counts, or a failure."""
    out = state.plan.grid.out
    del state.running[run.key]
    found = records(out)[0]
    record = state.plan.done(found).get(run.key)
    if record is not None:
        state.done[run.key] = record
        settle(out, [run.key])
        watcher.done(run, record, state)
        return
    error = ("" if ended.exit_code == 0 else ended.error) or state.plan.why_not(run, found)
    if ended.stopped_at is not None:
        error = f"stopped by racing at {ended.stopped_at:.0%} of its budget: it could not win"
    failure = Failure(
        arch=run.name,
        params=run.params,
        minutes=run.minutes,
        seed=run.seed,
        exit_code=ended.exit_code,
        error=error,
        stopped_at=ended.stopped_at,
    )
    note_failure(out, failure)
    (state.failed if ended.stopped_at is None else state.stopped)[run.key] = failure
    watcher.failed(run, failure, state)


def loses(run: Planned, state: State) -> Callable[[early_stopping.Curve], bool]:
    """Whether a curve of this run cannot win against the runs that are finished now."""
    return functools.partial(early_stopping.has_lost, run.params, finished=_field(run, state))


def _field(run: Planned, state: State) -> list[early_stopping.Raced]:
    """The finished runs of the same architecture and budget."""
    return [
        early_stopping.Raced(other.params, record.train.loss_curve, record.score.bits_per_byte)
        for other in state.plan.runs
        if (other.name, other.minutes) == (run.name, run.minutes)
        and (record := state.done.get(other.key)) is not None
        and record.score is not None
    ]


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "archs": list(grid.archs),
        "params": list(grid.params),
        "minutes": list(grid.minutes),
        "seeds": grid.num_seeds,
    }
