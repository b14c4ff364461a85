"""The plots of a track as SVG to stand inside a page, drawn by matplotlib.

Text of strangers never enters matplotlib, which reads mathematics into it: names stand in the
tooltips, which are added afterwards. Colours are written as variables of the page's style, so
that one drawing does for light and dark.
"""

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from matplotlib import dates, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from leaderboard.rank import Board, Entry
from leaderboard.render import columns
from leaderboard.render.html.palette import NUM_COLOURS, colours
from speedrun.records.sanitize import sanitize
from speedrun.text import format_size

MAX_POINTS = 400  # of a plot, the best ones; more would neither load nor be told apart
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "five-minute-speedrun",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.parse_math": False,
}
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
# What is drawn in the colour on the left appears in the page's colour on the right.
_INK, _GRID, _RECORD, _PAPER = "#010101", "#020202", "#030303", "#040404"
_SERIES = [f"#0500{number:02x}" for number in range(NUM_COLOURS + 1)]
_VARIABLES = {
    _INK: "var(--muted)",
    _GRID: "var(--line)",
    _RECORD: "var(--ink)",
    _PAPER: "var(--paper)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)},
}


class Plot(NamedTuple):
    """A drawing with its words."""

    key: str
    title: str
    caption: str
    svg: str


def plots(board: Board, lost: Collection[str] = ()) -> list[Plot]:
    """The plots that a track has enough entries for; `lost` entries have no page to lead to."""
    if len(board.entries) < 2:
        return []
    most = f" The best {MAX_POINTS} of each kind." if len(board.entries) > MAX_POINTS else ""
    bounded = any(entry.is_bound for entry in board.entries)
    frontier = "The line is the frontier: nothing lies both to its side and below."
    if bounded:
        frontier += " Bounds have a frontier of their own, dashed."
    found = [
        Plot(
            "size",
            "Bits per byte against size",
            f"Fewer parameters and fewer bits are better. {frontier}{most}",
            _against(board, "parameters", lambda e: float(e.first.num_params), fewer=True),
        ),
        Plot(
            "speed",
            "Bits per byte against speed",
            f"More tokens per second and fewer bits are better. {frontier}{most}",
            _against(board, "training tokens / s", lambda e: e.tokens_per_s.mean, fewer=False),
        ),
    ]
    if over_time := _over_time(board):
        text = f"Points are entries; the line is the record that stood.{most}"
        found.insert(0, Plot("time", "The record over time", text, over_time))
    return [plot._replace(svg=_without_links(plot.svg, lost)) for plot in found]


def _without_links(svg: str, lost: Collection[str]) -> str:
    for id in lost:
        svg = svg.replace(f' href="entries/{id}.html"', "")
    return svg


def _against(board: Board, label: str, value: Callable[[Entry], float], *, fewer: bool) -> str:
    with rc_context(_STYLE):
        figure, axes = _figure()
        entries = [e for e in board.entries if value(e) > 0]
        for bound in (False, True):
            points = [(value(e), e.bits_per_byte.mean) for e in entries if e.is_bound == bound]
            line = frontier(points, fewer=fewer)
            if line:
                axes.step(
                    *zip(*line, strict=True),
                    where="post" if fewer else "pre",
                    color=_RECORD,
                    linewidth=1,
                    linestyle=(0, (3, 2)) if bound else "solid",
                    zorder=1,
                )
        drawn = _scatter(axes, board, entries, value)
        if entries:
            axes.set_xscale("log")
        _log_ticks(axes, [value(entry) for entry in entries])
        axes.set_xlabel(label)
        return _svg(figure, drawn, f"{board.track.label} {label}")


def frontier(points: Sequence[tuple[float, float]], *, fewer: bool) -> list[tuple[float, float]]:
    """Points that no other beats on both axes, by x; `fewer`: less of x is better.

    Less of y is always better.
    """
    sign = 1 if fewer else -1
    out: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (sign * point[0], point[1])):
        if not out or y < out[-1][1]:
            out.append((x, y))
    return sorted(out)


def _over_time(board: Board) -> str | None:
    when = {entry.id: _moment(entry.created) for entry in board.entries}
    entries = [entry for entry in board.entries if when[entry.id] is not None]
    if not entries:
        return None
    numbers = {entry.id: float(dates.date2num(when[entry.id])) for entry in entries}
    with rc_context(_STYLE):
        figure, axes = _figure()
        end = max(numbers.values())
        for bound in (False, True):
            reigns = [e for e in board.history if e.is_bound == bound and e.id in numbers]
            if reigns:
                x = [numbers[e.id] for e in reigns] + [max(end, numbers[reigns[-1].id])]
                y = [e.bits_per_byte.mean for e in reigns]
                axes.step(
                    x,
                    [*y, y[-1]],
                    where="post",
                    color=_RECORD,
                    linewidth=1.2,
                    linestyle=(0, (3, 2)) if bound else "solid",
                    zorder=1,
                )
        drawn = _scatter(axes, board, entries, lambda e: numbers[e.id])
        span = end - min(numbers.values())
        if span == 0:
            axes.set_xlim(end - 0.5, end + 0.5)
        locator = dates.AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        axes.set_xlabel("date of the last run (UTC)")
        return _svg(figure, drawn, f"{board.track.label} time")


def _moment(created: str) -> datetime | None:
    try:
        return datetime.fromisoformat(created)
    except ValueError:
        return None


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.7, 3.3), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.grid(True, color=_GRID, linewidth=0.7)
    axes.tick_params(colors=_INK, length=3, which="both")
    for spine in axes.spines.values():
        spine.set_color(_INK)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.set_ylabel("bits per byte")
    axes.yaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
    axes.margins(x=0.1, y=0.1)
    return figure, axes


def _log_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Sizes such as 2M; a narrow range needs ticks between the powers of ten."""
    wide = bool(values) and max(values) / min(values) >= 30
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_size(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if values and max(values) / min(values) < 4:
        middle = math.sqrt(max(values) * min(values))
        axes.set_xlim(middle / 2.4, middle * 2.4)


def _scatter(
    axes: Axes, board: Board, entries: Sequence[Entry], value: Callable[[Entry], float]
) -> dict[str, list[Entry]]:
    """Draw the points; what was drawn by group, in order."""
    colour = colours(board)
    groups: dict[tuple[int, bool], list[Entry]] = {}
    for entry in entries:
        shown = groups.setdefault((colour[entry.first.arch], entry.is_bound), [])
        if len(shown) < MAX_POINTS:
            shown.append(entry)
    drawn = {}
    for (number, bound), shown in sorted(groups.items(), reverse=True):
        name = f"points-{number}-{'bound' if bound else 'exact'}"
        axes.plot(
            [value(e) for e in shown],
            [e.bits_per_byte.mean for e in shown],
            linestyle="none",
            marker="v" if bound else "o",
            markersize=6.5 if bound else 6,
            markerfacecolor=_PAPER if bound else _SERIES[number],
            markeredgecolor=_SERIES[number] if bound else _PAPER,
            markeredgewidth=1.3 if bound else 0.7,
            gid=name,
            zorder=3,
        )
        drawn[name] = shown
    records = [entry for entry in entries if entry.status == "record"]
    if records:
        axes.plot(
            [value(e) for e in records],
            [e.bits_per_byte.mean for e in records],
            linestyle="none",
            marker="o",
            markersize=12,
            markerfacecolor="none",
            markeredgecolor=_RECORD,
            markeredgewidth=1.1,
            gid="rings",
            zorder=2,
        )
    return drawn


def _svg(figure: Figure, drawn: Mapping[str, Sequence[Entry]], title: str) -> str:
    """The figure as an <svg> element whose points tell their names and lead to their pages."""
    FigureCanvasSVG(figure)
    out = io.StringIO()
    nothing: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    ET.register_namespace("", _SVG)
    root = ET.fromstring(out.getvalue())
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for name, entries in drawn.items():
        _tell(root, name, entries)
    prefix = "p" + format(abs(hash_of(title)), "x")
    for element in _elements(root):
        _own_names(element, prefix)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("aria-hidden", "true")  # the table holds the same numbers
    text = ET.tostring(root, encoding="unicode")
    text = re.sub("|".join(_VARIABLES), lambda found: _VARIABLES[found[0]], text)
    return re.sub(r"\n\s*", "\n", text)


def hash_of(text: str) -> int:
    """Eight hex digits' worth of a text, the same in every process."""
    import zlib

    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _tell(root: ET.Element, name: str, entries: Sequence[Entry]) -> None:
    """Give every point of a group its tooltip and its link."""
    group = next((g for g in _elements(root) if g.get("id") == name), None)
    if group is None:
        return
    holders = [e for e in group.iter() if any(c.tag == f"{{{_SVG}}}use" for c in e)]
    points = [(h, c) for h in holders for c in list(h) if c.tag == f"{{{_SVG}}}use"]
    if len(points) != len(entries):  # matplotlib left some out: better none than wrong ones
        return
    for (holder, point), entry in zip(points, entries, strict=True):
        link = ET.Element(f"{{{_SVG}}}a", {"href": f"entries/{entry.id}.html", "tabindex": "-1"})
        place = list(holder).index(point)
        holder.remove(point)
        tooltip = ET.SubElement(link, f"{{{_SVG}}}title")
        tooltip.text = sanitize(f"{columns.label(entry)}: {columns.score(entry)} bits per byte")
        link.append(point)
        holder.insert(place, link)


def _own_names(element: ET.Element, prefix: str) -> None:
    """Ids of a drawing must not meet those of another one in the page."""
    if (name := element.get("id")) is not None:
        element.set("id", f"{prefix}-{name}")
    target = element.attrib.pop(_HREF, None)
    if target is not None:
        element.set("href", f"#{prefix}-{target[1:]}" if target.startswith("#") else target)
    for attribute in ("clip-path", "style"):
        if (value := element.get(attribute)) is not None:
            element.set(attribute, value.replace("url(#", f"url(#{prefix}-"))


def _elements(root: ET.Element) -> Iterator[ET.Element]:
    return root.iter()
