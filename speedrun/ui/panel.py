"""Rows of the view of a training: progress, loss chart, comparison with other races, facts."""

import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rich.cells import cell_len, set_cell_size

from speedrun.config import Run, num_params_tables
from speedrun.records.sanitize import sanitize
from speedrun.text import clock, counted, format_size
from speedrun.training.progress import Tick
from speedrun.ui import chart
from speedrun.ui.chart import Line, Recorded, Size, Span
from speedrun.ui.ghost import Rivals
from speedrun.ui.screen import Row

OWN, OTHER, DONE = "bold green", "magenta", "green"  # legible on light and on dark ground
# Drawing is on the clock: after what took some time so many times as much passes without it.
PAUSE = 6000
_MIN_DRAWN = 8  # times that the chart of a training is drawn, if that is more often
_LABEL_WIDTH = 11
_CHART_ROWS = (5, 12)  # fewest and most, with the axis; below them it is a sparkline
_BORDER = {False: "╭─╮│╰╯", True: "+-+|++"}
_BAR = {False: "━─", True: "#-"}  # told apart without colours, too


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Columns and rows that a panel has."""

    width: int
    height: int
    is_ascii: bool = False


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Share of a whole command that is done, and seconds left of it."""

    share: float
    left_s: float

    def __str__(self) -> str:
        """`47%, about 3:20 left`."""
        return f"{min(0.99, self.share):.0%}, about {clock(self.left_s)} left"


@dataclass(kw_only=True)
class RacePanel:
    """The panel of one training."""

    run: Run
    machine: str
    rivals: Rivals
    recorded: Recorded = field(default_factory=Recorded)
    _made: tuple[list[Row], ...] = ([], [], [])
    _made_for: Frame | None = None
    _due_s: float = 0.0

    def rows(self, tick: Tick, outlook: Outlook | None, frame: Frame) -> list[Row]:
        """The panel, border included, in as many rows as there are.

        Rows that are the same as before are the same objects.
        """
        left = clock(max(0.0, self.run.budget_s - tick.spent_s))
        head = [bar("training", tick.share, f"{min(1.0, tick.share):.0%}, {left} left", frame)]
        if outlook is not None:
            head.append(bar("in all", outlook.share, str(outlook), frame))
        inner = frame.width - 4
        loss = [(f"{'loss':<{_LABEL_WIDTH}}", "dim"), (f"{tick.loss_nats:.3f}", OWN)]
        loss += [(" nats/token", ""), *self._legend(frame)]
        speed = f"{tick.tokens_per_s:,.0f} tokens/s, {format_size(tick.num_tokens)} tokens"
        moving = list(fact("speed", [(f"{speed} in {counted(tick.num_steps, 'step')}", "")], inner))
        if (began_s := time.monotonic()) >= self._due_s or frame != self._made_for:
            facts = [*self._against(tick.share, self.recorded.curve()), *self._facts(tick)]
            still = [row for label, spans in facts for row in fact(label, spans, inner)]
            room = frame.height - 5 - len(head) - len(moving) - len(still)
            top, bottom = border(title(self.run), frame)
            drawn = (inside(row, frame) for row in self._chart(room, frame))
            self._made = [top], [*drawn], [*(inside(row, frame) for row in still), bottom]
            pause_s = PAUSE * (time.monotonic() - began_s)
            self._made_for = frame
            self._due_s = began_s + min(pause_s, self.run.budget_s / _MIN_DRAWN)
        top, drawn, still = self._made
        head, moving = (
            [inside(row, frame) for row in rows] for rows in ([*head, [], loss], moving)
        )
        return [*top, *head, *drawn, *moving, *still]

    @cached_property
    def _others(self) -> list[Line]:
        """The curve to beat, where there is one."""
        beaten = self.rivals.ghosts[-1:]
        return [Line(curve=one.curve, style=OTHER, is_dotted=True) for one in beaten]

    def _legend(self, frame: Frame) -> list[Span]:
        """The dotted curve's mark and name, where there is one."""
        if not self.rivals.ghosts or frame.width < 60:
            return []
        mark = "*" if frame.is_ascii else "⠒⠂"
        return [("   ", ""), (mark, OTHER), (f" {self.rivals.ghosts[-1].name}", "dim")]

    def _chart(self, room: int, frame: Frame) -> list[Row]:
        """The chart, or where it has no room a sparkline."""
        (fewest, most), width, points = _CHART_ROWS, frame.width - 4, self.recorded.points()
        if room < fewest or width < 40:
            line = chart.sparkline(points[:, 1].tolist(), width - _LABEL_WIDTH)
            return [[(" " * _LABEL_WIDTH, ""), (line, OWN)]]
        lines = [*self._others, Line(curve=points, style=OWN)]
        size = Size(width=width, height=min(most, room), is_ascii=frame.is_ascii)
        return list(chart.chart(lines, self.run.budget_s, size))

    def _facts(self, tick: Tick) -> Iterator[tuple[str, list[Span]]]:
        recipe, peaks = self.run.recipe, []
        if recipe.optimizer == "muon":
            peaks.append(("Muon", recipe.lr_matrix))
        peaks.append(("AdamW", recipe.lr))
        if num_params_tables(self.run.model):
            peaks.append(("tables", recipe.lr_table))
        rates = ", ".join(f"{name} {peak * tick.lr_scale:.2g}" for name, peak in peaks)
        yield "rates", [(f"{rates} (recipe {self.run.recipe_name})", "")]
        yield "machine", [(self.machine, "")]

    def _against(self, share: float, curve: chart.Curve) -> Iterator[tuple[str, list[Span]]]:
        """The lead over each ghost, and the score that the race will have."""
        known = [(one, one.lead_of(share, curve)) for one in self.rivals.ghosts]
        leads = [(one, lead) for one, lead in known if lead is not None]
        for number, (one, lead) in enumerate(leads):
            word, style = ("ahead of", DONE) if lead >= 0 else ("behind", "red")
            spans = [
                (f"{abs(lead):.1%} {word}", style),
                (f" {one.name}, {one.bits_per_byte:.4f}", ""),
            ]
            yield ("" if number else "loss is"), spans
        if (found := self.rivals.projection(share, curve)) is not None:
            spans = [(f"{found.bits_per_byte:.4f} ± {found.error:.4f}", "bold")]
            spans.append((f" bits per byte ({_behind(found.num_curves)})", ""))
            yield "projected", spans
            if leads:
                other = min((one for one, _ in leads), key=lambda one: one.bits_per_byte)
                chance = min(0.99, max(0.01, found.chance_below(other.bits_per_byte)))
                yield "", [(f"{chance:.0%} likely to beat {other.name}", "")]


def _behind(num_curves: int) -> str:
    return f"± of {num_curves} finished races" if num_curves else "± assumed"


def title(run: Run) -> str:
    """Architecture, size, seed and budget of a run."""
    size = format_size(run.model.num_params)
    return f"{run.arch} {size}, seed {run.seed}, {run.budget_s / 60:g} min"


def bar(label: str, share: float, right: str, frame: Frame) -> Row:
    """A bar of progress between its label and what is said of it."""
    right = f"  {right}"
    width = max(1, frame.width - 4 - _LABEL_WIDTH - max(24, len(right)))
    done = round(min(1.0, max(0.0, share)) * width)
    full, rest = _BAR[frame.is_ascii]
    return [
        (f"{label:<{_LABEL_WIDTH}}", "dim"),
        (full * done, DONE),
        (rest * (width - done), "dim"),
        (right, ""),
    ]


def fact(label: str, spans: Sequence[Span], width: int) -> Iterator[Row]:
    """A dim label and what is said of it, wrapped."""
    text = sanitize("".join(text for text, _ in spans))
    lines = textwrap.wrap(text, max(8, width - _LABEL_WIDTH)) or [""]
    for number, line in enumerate(lines):
        lead = [(f"{'' if number else label:<{_LABEL_WIDTH}}", "dim")]
        yield lead + (_styled(line, spans[0]) if not number else [(line, "")])


def _styled(line: str, first: Span) -> list[Span]:
    """A line whose beginning has a style."""
    text, style = first
    return [(text, style), (line[len(text) :], "")] if line.startswith(text) else [(line, "")]


def border(name: str, frame: Frame) -> tuple[Row, Row]:
    """The first row of a border, with a title, and its last."""
    top_left, flat, top_right, _, low_left, low_right = _BORDER[frame.is_ascii]
    text = sanitize(name)
    shown = f" {set_cell_size(text, min(cell_len(text), frame.width - 6))} "
    rest = flat * max(0, frame.width - 3 - cell_len(shown))
    top = [(f"{top_left}{flat}", ""), (shown, "bold"), (f"{rest}{top_right}", "")]
    return top, [(f"{low_left}{flat * (frame.width - 2)}{low_right}", "")]


def inside(row: Row, frame: Frame) -> Row:
    """A row between the sides of a border."""
    side = _BORDER[frame.is_ascii][3]
    spare = " " * max(0, frame.width - 4 - sum(cell_len(text) for text, _ in row))
    return [(f"{side} ", ""), *row, (f"{spare} {side}", "")]
