"""Live view of a race: a panel in a terminal or a notebook, plain lines in a pipe."""

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from speedrun.config import Run
from speedrun.records.sanitize import sanitize
from speedrun.text import clock, format_size
from speedrun.training.progress import Tick
from speedrun.ui import ghost, panel
from speedrun.ui.estimate import Progress
from speedrun.ui.ghost import Rivals
from speedrun.ui.panel import Frame, Outlook, RacePanel
from speedrun.ui.screen import screen
from speedrun.ui.stage import Stage

REFRESH_S = 0.5
MAX_PAUSE_S = 5.0  # between two frames, however slow the terminal is
STAGE_REFRESH_S = 0.5
PLAIN_EVERY_SHARE = 0.1
PLAIN_EVERY_S = 10.0  # where no share of the budget is spent


class PlainLines:
    """Base of views that print one line after another."""

    def __init__(self, console: Console, progress: Progress | None = None) -> None:
        self._console, self._progress = console, progress
        self.stage = Stage(self._print_stage, PLAIN_EVERY_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stage.end()

    def phase(self, text: str) -> None:
        """Print the phase that begins, and now and then how long it has taken."""
        self._print(f"{text} …")
        self.stage.begin(text)

    def scoring(self, share: float) -> None:
        """Note how far scoring is: for the next line of its phase."""
        self.stage.share = share

    def notice(self, text: str) -> None:
        """Print a notice."""
        self._print(f"notice: {text}")

    def _print_stage(self, stage: Stage) -> None:
        self._print(f"{stage.text}: {stage.spent()}{_in_all(self._progress, stage.share)}")

    def _print(self, text: str) -> None:
        self._console.print(sanitize(text), markup=False, highlight=False, soft_wrap=True)


class Redrawn:
    """Base of views that draw in place and leave nothing but their notices."""

    def __init__(self, console: Console, progress: Progress | None = None) -> None:
        self._console, self._progress = console, progress
        self._screen = screen(console)
        self.stage = Stage(self._draw_stage, STAGE_REFRESH_S)

    def __enter__(self) -> Self:
        self._screen.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stage.end()
        self._screen.stop()

    def phase(self, text: str) -> None:
        """Show the phase that begins, and from then on how long it has taken."""
        self.stage.begin(text)
        self._draw_stage(self.stage)

    def scoring(self, share: float) -> None:
        """Note how far scoring is: for the next drawing."""
        self.stage.share = share

    def notice(self, text: str) -> None:
        """Print a notice above what is drawn."""
        self._console.print(Text.assemble(("· ", "bold"), sanitize(text)))

    def _draw(self, what: RenderableType) -> None:
        self._screen.show(what)

    def _frame(self) -> Frame:
        view = self._screen
        return Frame(width=view.width, height=view.height, is_ascii=view.is_ascii)

    def _draw_stage(self, stage: Stage) -> None:
        frame = self._frame()
        rows: list[panel.Row] = [[(f"{stage.text} … ", ""), (stage.spent(), "dim")]]
        if stage.share is not None:
            rows = [[(stage.text, "")], panel.bar("", stage.share, stage.spent(), frame)]
        if (outlook := _outlook(self._progress, stage.share)) is not None:
            rows.append(panel.bar("in all", outlook.share, str(outlook), frame))
        self._screen.paint(rows)


class PlainView(PlainLines):
    """Progress of a race as one line per event and per tenth of the budget."""

    def __init__(self, console: Console, progress: Progress | None = None) -> None:
        super().__init__(console, progress)
        self._next_share = self._budget_s = 0.0

    def opened(self, run: Run, train_fingerprint: str, hardware_class: str) -> None:
        """Lines have no ghosts."""

    def account(self, name: str) -> None:
        """Note the account of the clock that is charged."""
        if self._progress is not None:
            self._progress.account(name)

    def start(self, run: Run, machine: str) -> None:
        """Print the run and the machine it trains on; from here on no thread does anything."""
        self.stage.end()
        self._next_share, self._budget_s = PLAIN_EVERY_SHARE, run.budget_s
        self._print(f"{describe(run)} on {machine}")
        if self._progress is not None:
            self._progress.training()

    def tick(self, tick: Tick) -> None:
        """Print the state of training, once for each tenth of the budget."""
        if tick.share < self._next_share:
            return
        while self._next_share <= tick.share:  # a race that goes on begins further on
            self._next_share += PLAIN_EVERY_SHARE
        left = clock(max(0.0, self._budget_s - tick.spent_s))
        self._print(
            f"{tick.share:4.0%}  {left} left  loss {tick.loss_nats:.3f}"
            f"  {format_size(tick.num_tokens)} tokens  {tick.tokens_per_s:,.0f} tokens/s"
            f"  lr x {tick.lr_scale:.2f}{_in_all(self._progress)}"
        )


class LiveView(Redrawn):
    """Progress of a race as a panel that is redrawn in place."""

    def __init__(self, console: Console, progress: Progress | None = None) -> None:
        super().__init__(console, progress)
        self._panel: RacePanel | None = None
        self._rivals = Rivals()
        self._next_frame_s, self._frame_s = 0.0, math.inf
        self.runs: Path | None = None  # folder of finished runs to compare with

    def opened(self, run: Run, train_fingerprint: str, hardware_class: str) -> None:
        """Look for races to compare with."""
        if self.runs is not None:
            self._rivals = ghost.find(run, train_fingerprint, hardware_class, self.runs)

    def account(self, name: str) -> None:
        """Note the account of the clock that is charged."""
        if self._progress is not None:
            self._progress.account(name)

    def start(self, run: Run, machine: str) -> None:
        """Take the run's name, budget and learning rates: its clock starts now."""
        self.stage.end()
        self._panel = RacePanel(run=run, machine=machine, rivals=self._rivals)
        if self._progress is not None:
            self._progress.training()
        self._screen.paint([[(f"{panel.title(run)}: the first step is under way …", "dim")]])
        self._next_frame_s = 0.0

    def tick(self, tick: Tick) -> None:
        """Draw the state of training, at most twice a second, and less often where that is slow."""
        assert self._panel is not None, "it has started"
        self._panel.recorded.add(tick.share, tick.loss_nats)
        if (now_s := time.monotonic()) >= self._next_frame_s:
            rows = self._panel.rows(tick, _outlook(self._progress), self._frame())
            self._screen.paint(rows)
            # The least of all: others have drawn the chart, too, or were disturbed.
            self._frame_s = min(self._frame_s, time.monotonic() - now_s)
            pause_s = min(MAX_PAUSE_S, panel.PAUSE * self._frame_s)
            self._next_frame_s = now_s + max(REFRESH_S, pause_s)


def _outlook(progress: Progress | None, share: float | None = None) -> Outlook | None:
    if progress is None:
        return None
    left_s = progress.left_s(share or 0.0)
    return Outlook(share=progress.share(left_s), left_s=left_s)


def _in_all(progress: Progress | None, share: float | None = None) -> str:
    outlook = _outlook(progress, share)
    return "" if outlook is None else f"; in all {outlook}"


def view(
    console: Console, runs: Path | None = None, progress: Progress | None = None
) -> PlainView | LiveView:
    """The view that suits the console: drawn in a terminal or a notebook, lines elsewhere.

    What is drawn compares the race with finished ones below `runs`, and with those of the board;
    `progress` is that of the whole command.
    """
    if console.quiet or not (console.is_terminal or console.is_jupyter):
        return PlainView(console, progress)
    shown = LiveView(console, progress)
    shown.runs = runs
    return shown


@contextlib.contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on standard error how long the block takes, if it takes long."""
    console = Console(stderr=True)
    with Redrawn(console) if console.is_terminal else PlainLines(console) as shown:
        shown.stage.begin(text)
        yield


def describe(run: Run) -> str:
    """The run in one line: architecture, size, seed, budget and recipe."""
    without = format_size(run.model.num_params_non_embedding)
    return f"{panel.title(run)}, recipe {run.recipe_name}, {without} without embeddings"


def grid(*rows: tuple[str, str]) -> Table:
    """Rows of a dim label and its value."""
    table = Table.grid(padding=(0, 2))
    for label, value in rows:
        table.add_row(Text(label, style="dim"), Text(sanitize(value, lines=True)))
    return table
