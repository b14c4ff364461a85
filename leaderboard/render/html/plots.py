"""Plots of a track as inline SVG, drawn by matplotlib.

Names of entries never enter matplotlib, which reads mathematics into them: they are added to the
finished drawing as tooltips. Colours are placeholders that become variables of the style sheet,
so that one drawing serves light and dark pages.
"""

import io
import itertools
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from markupsafe import escape
from matplotlib import dates, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from leaderboard.render import columns
from leaderboard.render.html.series import MARKERS, NUM_SERIES
from leaderboard.standing.boards import Board
from leaderboard.standing.entries import Entry
from speedrun.records.sanitize import sanitize
from speedrun.text import format_size

MAX_POINTS = 400  # of a plot, the best ones: more cannot be told apart
MIN_SIZES = 4  # different ones, in a plot against size
_INK, _GRID, _RECORD, _PAPER = "#010101", "#020202", "#030303", "#040404"
_SERIES = [f"#0500{number:02x}" for number in range(NUM_SERIES + 1)]
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "five-minute-speedrun",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.size": 9.5,
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.linewidth": 0.8,
    **dict.fromkeys(("xtick.color", "ytick.color", "axes.edgecolor", "axes.labelcolor"), _INK),
    **dict.fromkeys(("axes.spines.right", "axes.spines.top"), False),
    **dict.fromkeys(("axes.xmargin", "axes.ymargin"), 0.1),
}
_VARIABLES = {
    _INK: "var(--muted)",
    _GRID: "var(--line)",
    _RECORD: "var(--ink)",
    _PAPER: "var(--paper)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)},
}
Points = Sequence[tuple[float, float]]


class Plot(NamedTuple):
    """Drawing with its title and caption."""

    title: str
    caption: str
    svg: str


class _Axis(NamedTuple):
    """Horizontal axis: values by entry id, and a stepped line for exact scores and bounds."""

    label: str
    values: Mapping[str, float]
    lines: Sequence[Points] = ((), ())
    where: Literal["pre", "post"] = "post"  # the line steps
    kind: Literal["log", "date", "names"] = "log"
    names: Sequence[str] = ()  # of the values 0, 1, …


def draw_plots(board: Board, series: Mapping[str, int]) -> list[Plot]:
    """Score by architecture, over time, against size and against speed, where they tell something.

    None for fewer than two entries; the record over time where it moved; sizes where they differ.
    """
    if len(board.entries) < 2:
        return []
    found = []
    if len({entry.first.arch for entry in board.entries}) > 1:
        found.append(("Bits per byte by architecture", "", _archs(board, series)))
    if len(board.history) > len({entry.is_bound for entry in board.history}):
        found.append(("Record over time", "The line is the standing record.", _time(board)))
    line = "The line is the Pareto frontier"
    if any(entry.is_bound for entry in board.entries):
        line += "; that of bounds is dashed"
    sizes = {e.id: float(e.first.num_params) for e in board.entries}
    if len({round(math.log(max(size, 1.0)) * 10) for size in sizes.values()}) < MIN_SIZES:
        sizes = {}  # points above each other show no trade
    speeds = {e.id: e.tokens_per_s.mean for e in board.entries if e.tokens_per_s.mean > 0}
    for title, side, label, values in (
        ("Bits per byte against size", "left", "parameters", sizes),
        ("Bits per byte against speed", "right", "training tokens / s", speeds),
    ):
        fewer = side == "left"
        lines = [frontier(points, fewer=fewer) for points in _points(board.entries, values)]
        axis = _Axis(label, values, lines, "post" if fewer else "pre")
        found.append((title, f"Lower {side} is better. {line}.", axis))
    most = f" Only the best {MAX_POINTS}." if len(board.entries) > MAX_POINTS else ""
    return [
        Plot(title, (text + most).strip(), _draw(board, axis, series, title))
        for title, text, axis in found
        if axis.values
    ]


def _archs(board: Board, series: Mapping[str, int]) -> _Axis:
    """A column for each architecture, in which entries stand apart by a hash of their id."""
    present = {entry.first.arch for entry in board.entries}
    archs = [arch for arch, number in series.items() if arch in present and number < NUM_SERIES]
    names = [*archs, *(["others"] if present - set(archs) else [])]
    place = {arch: number for number, arch in enumerate(archs)}

    def x(entry: Entry) -> float:
        apart = int(entry.id[:4], 16) / 0xFFFF - 0.5
        return place.get(entry.first.arch, len(archs)) + 0.4 * apart

    values = {entry.id: x(entry) for entry in board.entries}
    return _Axis("", values, kind="names", names=names)


def _time(board: Board) -> _Axis:
    made = {entry.id: datetime.fromisoformat(entry.created) for entry in board.entries}
    values = {id: float(dates.date2num(when)) for id, when in made.items()}
    reigns = _points(board.history, values)
    lines = [[*line, (max(values.values()), line[-1][1])] if line else [] for line in reigns]
    return _Axis("date of the last run (UTC)", values, lines, kind="date")


def _points(entries: Sequence[Entry], values: Mapping[str, float]) -> list[Points]:
    """Points of exact scores, and of bounds."""
    points = [(e.is_bound, (values[e.id], e.bits_per_byte.mean)) for e in entries if e.id in values]
    return [[point for is_bound, point in points if is_bound == b] for b in (False, True)]


def frontier(points: Points, *, fewer: bool) -> Points:
    """Pareto frontier of points, by x: least y with least x, or with most x if not `fewer`."""
    sign = 1 if fewer else -1
    out: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (sign * point[0], point[1])):
        if not out or y < out[-1][1]:
            out.append((x, y))
    return sorted(out)


def _draw(board: Board, axis: _Axis, series: Mapping[str, int], title: str) -> str:
    """The plot as an <svg> element."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(4.7, 3.3))
        axes = _axes(figure, axis)
        for points, style in zip(axis.lines, ("solid", "dashed"), strict=True):
            if points:
                x, y = zip(*points, strict=True)
                axes.step(x, y, where=axis.where, color=_RECORD, linestyle=style)
        _scatter(axes, board, axis.values, series)
        out = io.StringIO()
        nothing: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata=nothing)
    prefix = zlib.crc32(repr((board.track, title)).encode("utf-8", "surrogatepass"))
    best = board.entries[0]
    said = f"{title}: {len(axis.values)} entries, the best {columns.score(best)} ({best.label})"
    return _inline(out.getvalue(), f"p{prefix:x}", board.entries, said)


def _axes(figure: Figure, axis: _Axis) -> Axes:
    axes = figure.add_subplot()
    axes.set(xlabel=axis.label, ylabel="bits per byte")
    axes.yaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
    low, high = min(axis.values.values()), max(axis.values.values())
    if axis.kind == "names":
        axes.set_xticks(
            range(len(axis.names)), [sanitize(name)[:14] for name in axis.names], parse_math=False
        )
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="x", visible=False)
        axes.set_xlim(-0.5, len(axis.names) - 0.5)
    elif axis.kind == "log":
        axes.set_xscale("log")
        subs = (1.0,) if high / low >= 30 else (1.0, 2.0, 5.0)
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_size(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if high / low < 4:
            middle = math.sqrt(high * low)
            axes.set_xlim(middle / 2.4, middle * 2.4)
    else:
        locator = dates.AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        if low == high:
            axes.set_xlim(low - 0.5, high + 0.5)
    return axes


def _scatter(
    axes: Axes, board: Board, values: Mapping[str, float], series: Mapping[str, int]
) -> None:
    """Markers in the colour and shape of the architecture, hollow for bounds; rings for records."""
    shown = [e for e in board.entries if e.id in values]
    shown = [e for b in (False, True) for e in [e for e in shown if e.is_bound == b][:MAX_POINTS]]
    groups: dict[tuple[bool, int], list[Entry]] = defaultdict(list)
    for entry in shown[::-1]:  # the best on top
        groups[entry.is_bound, series[entry.first.arch]].append(entry)
    for (is_bound, number), group in groups.items():
        axes.scatter(
            [values[entry.id] for entry in group],
            [entry.bits_per_byte.mean for entry in group],
            s=40,
            marker=MARKERS[number],
            facecolors=_PAPER if is_bound else _SERIES[number],
            edgecolors=_SERIES[number] if is_bound else _PAPER,
            linewidths=1.3 if is_bound else 0.7,
            urls=[f"entries/{entry.id}.html" for entry in group],
            zorder=3,
        )
    for x, y in itertools.chain(*_points(board.records, values)):
        axes.plot(x, y, "o", markersize=13, markerfacecolor="none", markeredgecolor=_RECORD)


def _inline(svg: str, prefix: str, entries: Sequence[Entry], said: str) -> str:
    """An SVG file as an element of a page: own ids, tooltips, the page's colours."""
    names = {e.id: f"{columns.label(e)}: {columns.score(e)} bits per byte" for e in entries}

    def link(found: re.Match[str]) -> str:
        return f'<a tabindex="-1"{found[1]}><title>{escape(sanitize(names[found[2]]))}</title>'

    svg = svg[svg.index("<svg") :].replace("xlink:href", "href")
    svg = re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], svg)
    # Ids of one drawing must not meet those of another in the page.
    svg = re.sub(r'( id="|url\(#| href="#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r'<a( href="entries/(\w+)\.html")[^>]*>', link, svg)
    label = f'role="img" aria-label="{escape(sanitize(said))}"'
    box = re.search(r'<svg [^>]*(viewBox="[^"]*")[^>]*>', svg)
    assert box is not None
    svg = f"<svg {box[1]} {label}>{svg[box.end() :]}"
    return re.sub(r"\n\s*", "\n", svg)
