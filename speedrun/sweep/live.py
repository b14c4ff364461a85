"""The live table of a sweep: rich in a terminal, plain lines everywhere else."""

import time
from collections import defaultdict
from datetime import datetime, timedelta

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from speedrun.records.schema import Record
from speedrun.sweep.executor import State, UnderWay
from speedrun.sweep.grid import Planned
from speedrun.sweep.sweep_dir import Failure
from speedrun.text import clock, format_size
from speedrun.ui.live import PlainLines, Redrawn
from speedrun.ui.summary import spread

REFRESH_S = 1.0


def outlook(state: State) -> str:
    """`7 of 18 done, 1 failed, 10 left, until about 14:05 (in 14:20)`."""
    num_left = len(state.left) + len(state.running)
    parts = [f"{len(state.done)} of {len(state.plan.runs)} done"]
    if state.failed:
        parts.append(f"{len(state.failed)} failed")
    if stopped := [key for key in state.stopped if key not in state.done]:
        parts.append(f"{len(stopped)} stopped by racing")
    if num_left:
        left_s = state.left_s()
        until = datetime.now() + timedelta(seconds=left_s)
        parts.append(f"{num_left} left, until about {until:%H:%M} (in {clock(left_s)})")
    return ", ".join(parts)


def result(record: Record) -> str:
    if record.score is None:
        return record.status
    sign = "≤ " if record.score.likelihood == "bound" else ""
    return (
        f"{sign}{record.score.bits_per_byte:.4f} bits per byte,"
        f" {record.train.tokens_per_s:,.0f} tokens/s"
    )


def ended(failure: Failure) -> str:
    if failure.stopped_at is not None:
        return failure.error
    return f"failed ({failure.error}); the rest goes on"


class PlainSweepView(PlainLines):
    """One line when a race begins and one when it ends."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._running: list[UnderWay] = []

    def state(self, state: State) -> None:
        running = list(state.running.values())
        for race in running:
            if not any(race is known for known in self._running):
                self._print(f"racing {race.run.label}{_place(race)}; {outlook(state)}")
        if not running:
            self._print(outlook(state))
        self._running = running

    def done(self, run: Planned, record: Record, state: State) -> None:
        self._print(f"{run.label}: {result(record)}")

    def failed(self, run: Planned, failure: Failure, state: State) -> None:
        self._print(f"{run.label}: {ended(failure)}")


class LiveSweepView(Redrawn):
    """A table of sizes and budgets with their scores, redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._drawn_s = 0.0

    def state(self, state: State) -> None:
        if not state.running or time.monotonic() - self._drawn_s > REFRESH_S:
            self._drawn_s = time.monotonic()
            self._draw(_panel(state))

    def done(self, run: Planned, record: Record, state: State) -> None:
        self._console.print(Text(f"{run.label}: {result(record)}"))

    def failed(self, run: Planned, failure: Failure, state: State) -> None:
        style = "red" if failure.stopped_at is None else "yellow"
        self._console.print(Text(f"{run.label}: {ended(failure)}", style=style))


def _panel(state: State) -> Group:
    table = Table(title=Text(outlook(state)), title_justify="left")
    for column in ("architecture", "minutes", "size", "done", "bits per byte", ""):
        is_number = column in ("minutes", "size", "done", "bits per byte")
        table.add_column(column, justify="right" if is_number else "left")
    cells: dict[tuple, list[Planned]] = defaultdict(list)
    for run in state.plan.runs:
        cells[run.name, run.minutes, run.params].append(run)
    for (name, minutes, params), runs in sorted(cells.items()):
        cell = {run.key for run in runs}
        records = [state.done[key] for key in cell if key in state.done]
        scores = [record.score.bits_per_byte for record in records if record.score is not None]
        table.add_row(
            name,
            f"{minutes:g}",
            format_size(params),
            f"{len(records)}/{len(runs)}",
            spread(scores, 4),
            Text(_now(state, cell)),
        )
    return Group(table)


def _now(state: State, cell: set[tuple]) -> str:
    running = [race for key, race in state.running.items() if key in cell]
    if running:
        lines = (f"seed {race.run.seed}{_place(race)}: {race.doing}" for race in running)
        return "; ".join(line[:60] for line in lines)
    num_failed = len(cell & state.failed.keys())
    return f"{num_failed} failed" if num_failed else ""


def _place(race: UnderWay) -> str:
    return f" on {race.where}" if race.where else ""


def view(console: Console) -> PlainSweepView | LiveSweepView:
    """The view that suits where the console writes to."""
    return LiveSweepView(console) if console.is_terminal else PlainSweepView(console)
