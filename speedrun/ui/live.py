"""Live view of a race: a panel in a terminal, plain lines in a pipe."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from speedrun.config import Run, num_params_tables
from speedrun.records.sanitize import sanitize
from speedrun.text import clock, counted, format_size
from speedrun.training.progress import Tick
from speedrun.ui import ghost
from speedrun.ui.ghost import Ghost
from speedrun.ui.stage import Stage

REFRESH_S = 0.5  # drawing is on the clock: a few milliseconds each time
STAGE_REFRESH_S = 1.0
PLAIN_EVERY_SHARE = 0.1
PLAIN_EVERY_S = 10.0  # where no share of the budget is spent
MAX_WIDTH = 100
# The terminal itself shows ^C, twice perhaps: on a full line the cursor would leave it, and what
# is drawn next would not cover what was drawn before.
_SPARE_COLUMNS = 4
_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 60


class PlainLines:
    """Base of views that print one line after another."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.stage = Stage(
            lambda stage: self._print(f"{stage.text}: {stage.spent()}"), PLAIN_EVERY_S
        )

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
        self._print(f"{stage.text}: {stage.spent()}")

    def _print(self, text: str) -> None:
        self._console.print(sanitize(text), markup=False, highlight=False, soft_wrap=True)


class Redrawn:
    """Base of views that draw in place and leave nothing but their notices."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self.stage = Stage(self._draw_stage, STAGE_REFRESH_S)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stage.end()
        self._live.stop()

    def phase(self, text: str) -> None:
        """Show the phase that begins, and from then on how long it has taken."""
        self._draw(Text(f"{text} …", style="dim"))
        self.stage.begin(text)

    def scoring(self, share: float) -> None:
        """Note how far scoring is: for the next drawing."""
        self.stage.share = share

    def notice(self, text: str) -> None:
        """Print a notice above what is drawn."""
        self._console.print(Text(sanitize(text), style="yellow"))

    def _draw(self, what: RenderableType) -> None:
        width = self._console.width - _SPARE_COLUMNS
        self._live.update(Constrain(what, min(width, MAX_WIDTH)), refresh=True)

    def _draw_stage(self, stage: Stage) -> None:
        if stage.share is None:
            self._draw(Text(f"{stage.text} … {stage.spent()}", style="dim"))
        else:
            self._draw(Group(Text(stage.text, style="dim"), _bar("", stage.share, stage.spent())))


class PlainView(PlainLines):
    """Progress of a race as one line per event and per tenth of the budget."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._next_share = self._budget_s = 0.0

    def opened(self, run: Run, train_fingerprint: str, hardware_class: str) -> None:
        """Lines have no ghosts."""

    def start(self, run: Run, machine: str) -> None:
        """Print the run and the machine it trains on; from here on no thread does anything."""
        self.stage.end()
        self._next_share, self._budget_s = PLAIN_EVERY_SHARE, run.budget_s
        self._print(f"{describe(run)} on {machine}")

    def tick(self, tick: Tick) -> None:
        """Print the state of training, once for each tenth of the budget."""
        if tick.share < self._next_share:
            return
        self._next_share += PLAIN_EVERY_SHARE
        left = clock(max(0.0, self._budget_s - tick.spent_s))
        self._print(
            f"{tick.share:4.0%}  {left} left  loss {tick.loss_nats:.3f}"
            f"  {format_size(tick.num_tokens)} tokens  {tick.tokens_per_s:,.0f} tokens/s"
            f"  lr x {tick.lr_scale:.2f}"
        )


class LiveView(Redrawn):
    """Progress of a race as a panel that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._title = self._recipe = self._machine = ""
        self._peaks: list[tuple[str, float]] = []
        self._curve: list[tuple[float, float]] = []  # share of the budget, loss
        self._ghosts: list[Ghost] = []
        self._budget_s = self._last_drawn_s = 0.0
        self.runs: Path | None = None  # folder of finished runs to compare with

    def opened(self, run: Run, train_fingerprint: str, hardware_class: str) -> None:
        """Look for races to compare with."""
        if self.runs is not None:
            self._ghosts = ghost.find(run, train_fingerprint, hardware_class, self.runs)

    def start(self, run: Run, machine: str) -> None:
        """Take the run's name, budget and peak learning rates: its clock starts now."""
        self.stage.end()
        self._title, self._machine, self._budget_s = _title(run), machine, run.budget_s
        self._recipe = f"{run.recipe_name}, {_sizes(run)}"
        muon = [("Muon", run.recipe.lr_matrix)] if run.recipe.optimizer == "muon" else []
        tables = [("tables", run.recipe.lr_table)] if num_params_tables(run.model) else []
        self._peaks, self._curve = [*muon, ("AdamW", run.recipe.lr), *tables], []
        self._draw(Text(f"{self._title}: the first step is under way …", style="dim"))

    def tick(self, tick: Tick) -> None:
        """Draw the state of training, at most twice a second."""
        self._curve.append((tick.share, tick.loss_nats))
        if time.monotonic() - self._last_drawn_s >= REFRESH_S:
            self._last_drawn_s = time.monotonic()
            self._draw(self._panel(tick))

    def _panel(self, tick: Tick) -> Panel:
        left = clock(max(0.0, self._budget_s - tick.spent_s))
        rates = ", ".join(f"{name} {peak * tick.lr_scale:.2g}" for name, peak in self._peaks)
        facts = grid(
            ("loss", f"{tick.loss_nats:.3f} nats/token"),
            ("", sparkline([loss for _, loss in self._curve])),
            *self._against(tick.share),
            ("tokens", f"{tick.num_tokens:,} in {counted(tick.num_steps, 'step')}"),
            ("speed", f"{tick.tokens_per_s:,.0f} tokens/s"),
            ("learning rate", rates),
            ("recipe", self._recipe),
            ("machine", self._machine),
        )
        bar = _bar("budget", tick.share, f"{min(1.0, tick.share):.0%}, {left} left")
        return Panel(Group(bar, facts), title=Text(self._title, style="bold"))

    def _against(self, share: float) -> Iterator[tuple[str, str]]:
        """Rows on the ghosts: how far the race is ahead of each, and where that leads."""
        leads = [(one, one.lead_of(share, self._curve)) for one in self._ghosts]
        known = [(one, lead) for one, lead in leads if lead is not None]
        for number, (one, lead) in enumerate(known):
            word = "ahead of" if lead >= 0 else "behind"
            text = f"{abs(lead):.1%} {word} {one.name}, {one.bits_per_byte:.4f}"
            yield ("" if number else "loss is", text)
        if known:
            one, lead = min(known, key=lambda pair: abs(pair[1]))
            score, error = one.projected(share, lead)
            yield "projected", f"{score:.4f} ± {error:.4f} bits per byte"


def view(console: Console, runs: Path | None = None) -> PlainView | LiveView:
    """The view that suits the console: drawn in a terminal, lines elsewhere.

    What is drawn compares the race with finished ones below `runs`, and with those of the board.
    """
    if not console.is_terminal:
        return PlainView(console)
    shown = LiveView(console)
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
    return f"{_title(run)}, recipe {run.recipe_name}, {_sizes(run)}"


def _title(run: Run) -> str:
    size = format_size(run.model.num_params)
    return f"{run.arch} {size}, seed {run.seed}, {run.budget_s / 60:g} min"


def _sizes(run: Run) -> str:
    return f"{format_size(run.model.num_params_non_embedding)} without embeddings"


def grid(*rows: tuple[str, str]) -> Table:
    """Rows of a dim label and its value."""
    table = Table.grid(padding=(0, 2))
    for label, value in rows:
        table.add_row(Text(label, style="dim"), Text(sanitize(value, lines=True)))
    return table


def _bar(label: str, share: float, right: str) -> Table:
    table = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=1.0, completed=min(1.0, share), width=40)
    table.add_row(Text(label, style="dim"), bar, Text(right))
    return table


def sparkline(values: list[float], width: int = _CURVE_WIDTH) -> str:
    """Values as a row of block characters, averaged down to `width`; not finite ones as 'x'."""
    if not values:
        return ""
    points = [part.mean() for part in np.array_split(values, min(width, len(values)))]
    finite = [point for point in points if np.isfinite(point)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    # By the root: a loss falls fast at first, and later gains should show, too.
    heights = (((point - low) / (high - low or 1.0)) ** 0.5 * (len(_BARS) - 1) for point in points)
    return "".join(_BARS[round(h)] if np.isfinite(h) else "x" for h in heights)
