"""The live view of a race: rich in a terminal, plain lines everywhere else."""

import time

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from speedrun.config import Run
from speedrun.text import format_size
from speedrun.training.trainer import Tick
from speedrun.ui.console import PlainLines, Redrawn

REFRESH_S = 0.5  # drawing is on the clock: a few milliseconds each time
PLAIN_EVERY_SHARE = 0.1
_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 60


def sparkline(values: list[float], width: int = _CURVE_WIDTH) -> str:
    """Values as a row of block characters, averaged down to `width`; not finite ones as 'x'."""
    if not values:
        return ""
    step = max(1.0, len(values) / width)
    points = []
    for i in range(min(width, len(values))):
        part = values[int(i * step) : max(int(i * step) + 1, int((i + 1) * step))]
        points.append(sum(part) / len(part))
    finite = [p for p in points if abs(p) < float("inf")]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    span = high - low or 1.0
    # By the root: a loss falls fast at first, and what happens later should show, too.
    return "".join(
        _BARS[round(((p - low) / span) ** 0.5 * (len(_BARS) - 1))] if abs(p) < float("inf") else "x"
        for p in points
    )


def describe(run: Run) -> str:
    """One line: what races on what recipe."""
    return (
        f"{run.arch} {format_size(run.model.num_params)}"
        f" ({format_size(run.model.num_params_non_embedding)} without embeddings),"
        f" recipe {run.recipe_name}, seed {run.seed}, {run.budget_s / 60:g} min"
    )


def clock_text(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class PlainView(PlainLines):
    """One line per event and per tenth of the budget."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._next_share = 0.0

    def phase(self, text: str) -> None:
        self._print(f"{text} …")

    def start(self, run: Run, machine: str) -> None:
        self._next_share = PLAIN_EVERY_SHARE
        self._budget_s = run.budget_s
        self._print(f"{describe(run)} on {machine}")

    def tick(self, tick: Tick) -> None:
        if tick.share < self._next_share:
            return
        self._next_share += PLAIN_EVERY_SHARE
        left = clock_text(max(0.0, self._budget_s - tick.spent_s))
        self._print(
            f"{tick.share:4.0%}  {left} left  loss {tick.loss_nats:.3f}"
            f"  {format_size(tick.num_tokens)} tokens  {tick.tokens_per_s:,.0f} tokens/s"
            f"  lr x {tick.lr_scale:.2f}"
        )

    def scoring(self, share: float) -> None: ...


class LiveView(Redrawn):
    """A panel that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._title = ""
        self._machine = ""
        self._peaks: list[tuple[str, float]] = []
        self._budget_s = 0.0
        self._losses: list[float] = []
        self._last_drawn_s = 0.0

    def phase(self, text: str) -> None:
        self._draw(Text(f"{text} …", style="dim"))

    def start(self, run: Run, machine: str) -> None:
        self._title, self._machine, self._budget_s = describe(run), machine, run.budget_s
        recipe = run.recipe
        self._peaks = [("AdamW", recipe.lr)]
        if recipe.optimizer == "muon":
            self._peaks.insert(0, ("Muon", recipe.lr_matrix))
        self._losses = []
        self._draw(Text(f"{self._title}: compiling and warming up …", style="dim"))

    def tick(self, tick: Tick) -> None:
        self._losses.append(tick.loss_nats)
        now = time.monotonic()
        if now - self._last_drawn_s < REFRESH_S:
            return
        self._last_drawn_s = now
        self._draw(self._panel(tick))

    def scoring(self, share: float) -> None:
        self._draw(_bar("scoring", share, f"{share:.0%}"))

    def _panel(self, tick: Tick) -> Panel:
        left = clock_text(max(0.0, self._budget_s - tick.spent_s))
        rates = ", ".join(f"{name} {peak * tick.lr_scale:.2g}" for name, peak in self._peaks)
        facts = Table.grid(padding=(0, 2))
        for label, value in (
            ("loss", f"{tick.loss_nats:.3f} nats/token"),
            ("", sparkline(self._losses)),
            ("tokens", f"{tick.num_tokens:,} in {tick.num_steps:,} steps"),
            ("speed", f"{tick.tokens_per_s:,.0f} tokens/s"),
            ("learning rate", rates),
            ("machine", self._machine),
        ):
            facts.add_row(Text(label, style="dim"), Text(value))
        return Panel(
            Group(_bar("budget", tick.share, f"{left} left"), facts),
            title=Text(self._title, style="bold"),
            width=min(self._console.width, 100),
        )


def _bar(label: str, share: float, right: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=1.0, completed=min(1.0, share), width=50)
    grid.add_row(Text(label, style="dim"), bar, Text(right))
    return grid


def view(console: Console) -> PlainView | LiveView:
    """The view that suits where the console writes to."""
    return LiveView(console) if console.is_terminal else PlainView(console)
