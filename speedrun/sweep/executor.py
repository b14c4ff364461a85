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
from speedrun.records.schema import Record, load
from speedrun.records.sections import OFF_CLOCK
from speedrun.sweep import child, early_stopping, unscored
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
    early_stop: bool = False
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
        end_s = off_s - time.monotonic()
        running = [
            max(0.0, one.since_s + one.race.request.budget_s + end_s)
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

    def ended(self, race: PlannedRace, result: Record | Failure) -> None:
        """A race is over."""


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

        racing = run_race(race.request, judge(race, state))
        conclude(race, child.finish(racing, hear), state, watcher)
    watcher.state(state)
    return state


def begin(plan: Plan, watcher: Watcher, *, early_stop: bool) -> State:
    """The races that are left; ValueError if the directory's runs have other settings."""
    save_manifest(plan.out, plan.shared, plan.grid.manifest(), plan.code)
    unscored.finish(plan, watcher.notice)
    state = State(plan, plan.done(records(plan.out)[0]), early_stop)
    known = {key: one for key, one in failures(plan.out).items() if key not in state.done}
    save_failures(plan.out, known)
    if early_stop:
        state.stopped = {k: one for k, one in known.items() if one.stopped_at is not None}
    watcher.state(state)
    return state


def conclude(race: PlannedRace, ended: Ended, state: State, watcher: Watcher) -> None:
    """Note the result or the failure of a race that is over."""
    out, key = state.plan.out, race.key
    result = _result(race, ended, state.plan)
    del state.running[key]
    known = failures(out)
    known.pop(key, None)
    if isinstance(result, Record):
        state.done[key] = result
    else:
        known[key] = result
        (state.failed if result.stopped_at is None else state.stopped)[key] = result
    save_failures(out, known)
    watcher.ended(race, result)


def _result(race: PlannedRace, ended: Ended, plan: Plan) -> Record | Failure:
    error = ended.error
    if ended.run is not None:
        record = load(ended.run / RECORD)
        if race.key in plan.done([record]):
            return record
        error = f"its record was rejected: {plan.problem(record) or 'it has another config'}"
    elif ended.stopped_at is not None:
        error = f"stopped early at {ended.stopped_at:.0%} of its budget: it could not win"
    return Failure(
        **race.key._asdict(), exit_code=ended.exit_code, error=error, stopped_at=ended.stopped_at
    )


def judge(race: PlannedRace, state: State) -> HasLost | None:
    """Early stopping, if asked for: by finished races of the same architecture, tables, budget."""
    if not state.early_stop:
        return None
    finished = [
        early_stopping.FinishedRace(key.params, record.train.loss_curve, record.score.bits_per_byte)
        for key, record in state.done.items()
        if key._replace(params=0, seed=0) == race.key._replace(params=0, seed=0)
        and record.score is not None
    ]
    return functools.partial(early_stopping.has_lost, race.key.params, finished=finished)
