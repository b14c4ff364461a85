"""The state of a sweep, and its races one after another on this machine.

`speedrun.sweep.ray_executor` runs several at once on other machines.
"""

import functools
import statistics
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

from speedrun.plan.cluster import USUAL_OFF_S
from speedrun.records.files import RECORD
from speedrun.records.schema import OFF_CLOCK, Record, load
from speedrun.sweep import child, early_stopping
from speedrun.sweep.child import Ended, HasLost
from speedrun.sweep.grid import Plan, PlannedRace
from speedrun.sweep.sweep_dir import Failure, Key, failures, records, save_failures, save_manifest
from speedrun.training.request import RunRequest

RunRace = Callable[[RunRequest, HasLost | None], Generator[str, None, Ended]]


@dataclass
class Running:
    """A race under way."""

    race: PlannedRace
    where: str = ""  # the machine, if it is another
    line: str = "starting"  # its last line of progress
    since_s: float = field(default_factory=time.monotonic)


@dataclass
class State:
    """The progress of a sweep."""

    plan: Plan
    done: dict[Key, Record]
    failed: dict[Key, Failure] = field(default_factory=dict)
    stopped: dict[Key, Failure] = field(default_factory=dict)  # by early stopping
    running: dict[Key, Running] = field(default_factory=dict)
    num_devices: int = 1  # that race at the same time

    @property
    def left(self) -> list[PlannedRace]:
        """Races that are neither over nor running."""
        over = self.done.keys() | self.failed.keys() | self.stopped.keys() | self.running.keys()
        return [race for race in self.plan.races if race.key not in over]

    def left_s(self) -> float:
        """Estimated seconds until all races are over."""
        off = [sum(getattr(one.clock, name) for name in OFF_CLOCK) for one in self.done.values()]
        off_s = statistics.median(off) if off else USUAL_OFF_S
        now_s = time.monotonic()
        running = [
            max(0.0, one.race.request.budget_s + off_s - (now_s - one.since_s))
            for one in self.running.values()
        ]
        left = [race.request.budget_s + off_s for race in self.left]
        return max((sum(running) + sum(left)) / self.num_devices, *running, 0.0)


class Watcher(Protocol):
    """Progress callbacks of a sweep: `speedrun.sweep.live`."""

    def notice(self, text: str) -> None:
        """Tell something that the person should know."""

    def state(self, state: State) -> None:
        """Show the progress; called often."""

    def done(self, race: PlannedRace, record: Record) -> None:
        """A race has a result."""

    def failed(self, race: PlannedRace, failure: Failure) -> None:
        """A race ended without a result."""


def run_all(
    plan: Plan, watcher: Watcher, run_race: RunRace = child.race, *, early_stop: bool = False
) -> State:
    """Run the races that are left, one after another; one that fails does not end the sweep.

    With `early_stop`, races that cannot win any more are stopped, and those stopped by an earlier
    command are not run again.
    """
    state = begin(plan, watcher, early_stop=early_stop)
    for race in state.left:
        running = state.running[race.key] = Running(race)

        def hear(line: str, running: Running = running) -> None:
            running.line = line
            watcher.state(state)

        ended = child.finish(
            run_race(race.request, judge(race, state) if early_stop else None), hear
        )
        conclude(race, ended, state, watcher)
    watcher.state(state)
    return state


def begin(plan: Plan, watcher: Watcher, *, early_stop: bool) -> State:
    """The races that are left; ValueError if the directory's runs have other settings."""
    grid = plan.grid
    content = {"archs": list(grid.archs), "params": list(grid.params)}
    content |= {"minutes": list(grid.minutes), "seeds": grid.num_seeds}
    save_manifest(grid.base.out, plan.shared, content)
    state = State(plan, plan.done(records(grid.base.out)[0]))
    known = {key: one for key, one in failures(grid.base.out).items() if key not in state.done}
    save_failures(grid.base.out, known)
    if early_stop:
        state.stopped = {k: one for k, one in known.items() if one.stopped_at is not None}
    watcher.state(state)
    return state


def conclude(race: PlannedRace, ended: Ended, state: State, watcher: Watcher) -> None:
    """Note the result or the failure of a race that is over."""
    out, plan = state.plan.grid.base.out, state.plan
    del state.running[race.key]
    known = failures(out)
    error = ended.error or "ended without a record"
    if ended.run is not None:
        record = load(ended.run / RECORD)
        if race.key in plan.done([record]):
            state.done[race.key] = record
            if known.pop(race.key, None) is not None:
                save_failures(out, known)
            watcher.done(race, record)
            return
        error = f"its record was rejected: {plan.problem(record) or 'it has another config'}"
    if ended.stopped_at is not None:
        error = f"stopped early at {ended.stopped_at:.0%} of its budget: it could not win"
    arch, params, minutes, seed = race.key
    failure = Failure(
        arch=arch,
        params=params,
        minutes=minutes,
        seed=seed,
        exit_code=ended.exit_code,
        error=error,
        stopped_at=ended.stopped_at,
    )
    save_failures(out, known | {race.key: failure})
    (state.failed if ended.stopped_at is None else state.stopped)[race.key] = failure
    watcher.failed(race, failure)


def judge(race: PlannedRace, state: State) -> HasLost:
    """Early stopping of a race against the finished ones of its architecture and budget."""
    arch, params, minutes, _ = race.key
    finished = [
        early_stopping.FinishedRace(key[1], record.train.loss_curve, record.score.bits_per_byte)
        for key, record in state.done.items()
        if (key[0], key[2]) == (arch, minutes) and record.score is not None
    ]
    return functools.partial(early_stopping.has_lost, params, finished=finished)
