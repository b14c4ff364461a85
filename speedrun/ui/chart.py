"""Chart of loss curves over the budget: braille dots, or stars where there are none, with axes."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from speedrun.text import clock, round_values

Curve = Sequence[tuple[float, float | None]]  # share of the budget, nats
Span = tuple[str, str]  # text, style
_Ints = NDArray[np.int_]

_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 60
_NUM_BINS = 512
# Of the budget, at the start: the fall from chance, which would flatten the rest of the curve.
_FALL = 0.02
_MIN_RANGE = 0.02  # of the loss; noise is not to fill the chart
_NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
_BLANK = np.uint32(0x2800)
_FINE = 16  # points of a line for a column of dots
_FRAME = {False: "│┤└─┬", True: "|+`-+"}


class Recorded:
    """A loss curve in as many points as a chart can show, however many steps there are."""

    def __init__(self) -> None:
        self._sums, self._counts = np.zeros(_NUM_BINS), np.zeros(_NUM_BINS, dtype=int)

    def add(self, share: float, loss: float) -> None:
        """Add a loss at a share of the budget; one that is not finite marks its point."""
        at = min(int(share * _NUM_BINS), _NUM_BINS - 1)
        self._sums[at] += loss
        self._counts[at] += 1

    def points(self) -> NDArray[np.float64]:
        """Share at which each point begins and its mean loss, a row each."""
        (known,) = np.nonzero(self._counts)
        means = self._sums[known] / self._counts[known]
        return np.column_stack((known / _NUM_BINS, means))

    def curve(self) -> list[tuple[float, float]]:
        """The same as a list."""
        return [(share, loss) for share, loss in self.points().tolist()]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve of a chart; a dotted one is of another race."""

    curve: Curve | NDArray[np.float64]
    style: str
    is_dotted: bool = False

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Share and loss of each point, a row each; None becomes NaN."""
        return np.array(self.curve, dtype=float).reshape(-1, 2)


@dataclass(frozen=True, kw_only=True)
class Size:
    """Columns and rows of a chart, labels included."""

    width: int
    height: int
    is_ascii: bool = False

    @property
    def dots(self) -> tuple[int, int]:
        """Dots of a character: columns, rows."""
        return (1, 1) if self.is_ascii else (2, 4)


class _Canvas:
    """Dots of a chart, and the line that each character was drawn by last."""

    def __init__(self, width: int, height: int, size: Size) -> None:
        self.is_ascii, (self._across, self._down) = size.is_ascii, size.dots
        self.num_columns, self.num_rows = width * self._across, height * self._down
        self._bits = np.zeros((height, width), np.uint32)
        self._drawn_by = np.full((height, width), -1)

    def dots(self, x: _Ints, y: _Ints, number: int) -> None:
        """Set the dots in these columns and rows of dots, as part of a line."""
        at = y // self._down, x // self._across
        np.bitwise_or.at(self._bits, at, _BRAILLE[y % self._down, x % self._across])
        self._drawn_by[at] = number

    def row(self, number: int, styles: Sequence[str]) -> Iterator[Span]:
        """The characters of a row in pieces of one style; those of lines are listed."""
        bits, drawn_by = self._bits[number], self._drawn_by[number]
        # A space has the style of what is before it: fewer pieces.
        last = np.maximum.accumulate(np.where(drawn_by < 0, 0, np.arange(len(drawn_by))))
        drawn_by = drawn_by[last]
        dots = np.uint32(ord("*")) if self.is_ascii else _BLANK + bits
        # No blank of braille: text of strangers with it would not be shown, either.
        text = np.where(bits == 0, np.uint32(ord(" ")), dots).astype("<u4").tobytes()
        ends = [*(np.flatnonzero(np.diff(drawn_by)) + 1).tolist(), len(bits)]
        for start, end in itertools.pairwise([0, *ends]):
            yield text[4 * start : 4 * end].decode("utf-32-le"), styles[int(drawn_by[start])]


def chart(lines: Sequence[Line], budget_s: float, size: Size) -> list[list[Span]]:
    """Rows of losses, on a logarithmic axis, over the budget; the last line is on top."""
    low, high = _range(lines)
    height = size.height - 2  # the axis and its labels
    labels = ticks(low, high, height)
    margin = max((len(label) for label in labels.values()), default=0) + 1
    canvas = _Canvas(max(1, size.width - margin), height, size)
    for number, line in enumerate(lines):
        _draw(
            canvas, line.is_dotted, _columns(line.points, canvas.num_columns), (low, high), number
        )
    styles = [*(line.style for line in lines), ""]
    side, tick, corner, flat, mark = _FRAME[size.is_ascii]
    rows: list[list[Span]] = []
    for row in range(height):
        edge = f"{labels.get(row, ''):>{margin - 1}}{tick if row in labels else side}"
        rows.append([(edge, "dim"), *canvas.row(row, styles)])
    width = size.width - margin
    times = _times(budget_s, width)
    axis = "".join(mark if column in times else flat for column in range(width))
    rows.append([(f"{' ' * (margin - 1)}{corner}{axis}", "dim")])
    rows.append([(f"{' ' * margin}{_labels(times, width)}", "dim")])
    return rows


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """Lowest and highest loss to show; what is above it is drawn at the top."""
    shares, losses = np.concatenate([line.points for line in lines]).T
    is_shown = np.isfinite(losses) & (losses > 0)
    if not is_shown.any():
        return 1.0, 10.0
    late = is_shown & (shares >= _FALL)
    shown = losses[late if late.any() else is_shown]
    low, high = float(shown.min()), float(shown.max())
    spare = max(0.0, _MIN_RANGE - math.log(high / low)) / 2
    return low * math.exp(-spare), high * math.exp(spare)


def ticks(low: float, high: float, height: int) -> dict[int, str]:
    """Labels by the row, from the top, that a logarithmic axis has them in."""
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    values = [nice * 10.0**decade for decade in decades for nice in _NICE]
    values = [value for value in values if low <= value <= high]
    if len(values) < 2:
        values = round_values(low, high, max(2, height // 2))
    found: dict[int, str] = {}
    for value in values:  # from the bottom: the low losses are those that matter
        row = round((height - 1) * (1 - math.log(value / low) / math.log(high / low)))
        if not {row - 1, row, row + 1} & found.keys():
            found[row] = f"{value:.4g}"
    return found


def _draw(
    canvas: _Canvas,
    is_dotted: bool,
    columns: NDArray[np.float64],
    limits: tuple[float, float],
    number: int,
) -> None:
    (low, high), most = limits, canvas.num_rows - 1
    (known,) = np.nonzero(np.isfinite(columns) & (columns > 0))
    (broken,) = np.nonzero(np.isinf(columns))
    canvas.dots(broken, np.zeros_like(broken), number)  # at the top
    if not len(known):
        return
    if is_dotted:
        x = known[known % 4 == 0].astype(float)
    else:  # so near to each other that a steep fall has no gaps
        x = np.linspace(known[0], known[-1], _FINE * int(known[-1] - known[0]) + 1)
    heights = np.log(columns[known] / low) / math.log(high / low)
    y = most * (1 - np.clip(np.interp(x, known, heights), 0.0, 1.0))
    canvas.dots(np.rint(x).astype(int), np.rint(y).astype(int), number)


def _columns(points: NDArray[np.float64], num_columns: int) -> NDArray[np.float64]:
    """Mean loss of each column of dots: NaN where it has none, infinite where one is not finite."""
    shares, losses = points.T
    at = np.clip(shares * num_columns, 0, num_columns - 1).astype(int)
    counts = np.bincount(at, minlength=num_columns)
    losses = np.where(np.isfinite(losses), losses, np.inf)
    sums = np.bincount(at, weights=losses, minlength=num_columns)
    return np.where(counts == 0, np.nan, sums / np.maximum(counts, 1))


def _times(budget_s: float, width: int) -> dict[int, str]:
    """Times of the budget by the column of their mark."""
    parts = 4 if width >= 48 else 2
    return {
        round((width - 1) * n / parts): _time(budget_s * n / parts, budget_s)
        for n in range(parts + 1)
    }


def _time(seconds: float, budget_s: float) -> str:
    return f"{seconds:.3g} s" if budget_s < 60 else clock(round(seconds))


def _labels(times: Mapping[int, str], width: int) -> str:
    """Labels centred below their marks, inside the axis."""
    line = [" "] * width
    for column, label in times.items():
        start = min(max(0, column - len(label) // 2), max(0, width - len(label)))
        line[start : start + len(label)] = label
    return "".join(line[:width]).rstrip()


def sparkline(values: Sequence[float], width: int = _CURVE_WIDTH) -> str:
    """Values as a row of block characters, averaged down to `width`; not finite ones as 'x'."""
    if not len(values):
        return ""
    points = [part.mean() for part in np.array_split(values, min(width, len(values)))]
    finite = [point for point in points if np.isfinite(point)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    # By the root: a loss falls fast at first, and later gains should show, too.
    heights = (((point - low) / (high - low or 1.0)) ** 0.5 * (len(_BARS) - 1) for point in points)
    return "".join(_BARS[round(h)] if np.isfinite(h) else "x" for h in heights)
