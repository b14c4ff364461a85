"""Console views of a sweep: a line when a race starts or ends; in a terminal its progress, too."""

import time
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.sweep.executor import Running, State
from speedrun.sweep.grid import PlannedRace
from speedrun.sweep.sweep_dir import Failure
from speedrun.text import clock
from speedrun.ui.live import PlainLines, Redrawn

REFRESH_S = 1.0
PLAIN_EVERY_S = 30.0


def outlook(state: State) -> str:
    """`7 of 18 done, 1 failed, 10 left, until about 14:05 (in 14:20)`."""
    num_left = len(state.left) + len(state.running)
    parts = [f"{len(state.done)} of {len(state.plan.races)} done"]
    if state.failed:
        parts.append(f"{len(state.failed)} failed")
    if state.stopped:
        parts.append(f"{len(state.stopped)} stopped early")
    if num_left:
        left_s = state.left_s()
        until = datetime.now() + timedelta(seconds=left_s)
        parts.append(f"{num_left} left, until about {until:%H:%M} (in {clock(left_s)})")
    return ", ".join(parts)


def _end(race: PlannedRace, result: Record | Failure) -> str:
    if isinstance(result, Failure):
        said = f"failed ({result.error}); the sweep continues"
        return f"{race.label}: {said if result.stopped_at is None else result.error}"
    if (score := result.score) is None:
        return f"{race.label}: {result.status}"
    sign = "≤ " if score.likelihood == "bound" else ""
    speed = f"{result.train.tokens_per_s:,.0f} tokens/s"
    return f"{race.label}: {sign}{score.bits_per_byte:.4f} bits per byte, {speed}"


class PlainSweepView(PlainLines):
    """Plain lines alone."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._running: list[Running] = []
        self._said_s = 0.0

    def state(self, state: State) -> None:
        """Print the races that are new, and now and then how far those are that run."""
        self.stage.end()  # of planning
        running = list(state.running.values())
        for one in running:
            if not any(one is known for known in self._running):
                self._print(f"racing {_named(one)}; {outlook(state)}")
        if not running:
            self._print(outlook(state))
        if running != self._running:
            self._said_s = time.monotonic()
        elif running and time.monotonic() - self._said_s >= PLAIN_EVERY_S:
            self._said_s = time.monotonic()
            for one in running:
                self._print(f"{_named(one)}: {one.line}")
        self._running = running

    def ended(self, race: PlannedRace, result: Record | Failure) -> None:
        """Print the result."""
        self._print(_end(race, result))


class LiveSweepView(Redrawn):
    """The outlook and a line for each race that runs, below the results."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._drawn_s = 0.0

    def state(self, state: State) -> None:
        """Draw it, at most once per `REFRESH_S` while races run."""
        self.stage.end()  # of planning
        if not state.running or time.monotonic() - self._drawn_s > REFRESH_S:
            self._drawn_s = time.monotonic()
            running = (f"{_named(one)}: {one.line}" for one in state.running.values())
            self._draw(Text(sanitize("\n".join([outlook(state), *running]), lines=True)))

    def ended(self, race: PlannedRace, result: Record | Failure) -> None:
        """Print the result above."""
        is_failed = isinstance(result, Failure) and result.stopped_at is None
        self._console.print(Text(sanitize(_end(race, result)), style="red" if is_failed else ""))


def _named(running: Running) -> str:
    return running.race.label + (f" on {running.where}" if running.where else "")


def view(console: Console) -> PlainSweepView | LiveSweepView:
    """The view that suits where the console writes to."""
    return LiveSweepView(console) if console.is_terminal else PlainSweepView(console)
