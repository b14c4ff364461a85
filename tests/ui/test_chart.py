"""Chart of losses: its scale, its labels, and the curve itself."""

import itertools
import math

import pytest

from speedrun.ui import chart
from speedrun.ui.chart import Line, Recorded, Size

NAN = float("nan")
FALLING = [(n / 200, 2.0 + 6.0 * math.exp(-n / 20)) for n in range(1, 201)]


def drawn(*lines: Line, width: int = 60, height: int = 12, budget_s: float = 300.0, **more):
    size = Size(width=width, height=height, **more)
    rows = chart.chart(lines, budget_s, size)
    return ["".join(text for text, _ in row) for row in rows]


def own(curve) -> Line:
    return Line(curve=curve, style="green")


@pytest.mark.parametrize("width", [40, 56, 96])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_chart_keeps_its_size_and_its_curve_falls(width, is_ascii):
    rows = drawn(own(FALLING), width=width, is_ascii=is_ascii)
    assert len(rows) == 12 and all(len(row) == width for row in rows[:-1])
    assert all(ord(char) < 128 for row in rows for char in row) is is_ascii
    side = rows[0].index("|" if is_ascii else "│")
    first = [
        next((n for n, row in enumerate(rows[:-2]) if row[at] != " "), None)
        for at in range(side + 1, width)
    ]
    assert first[0] == 0 and first[-1] == len(rows) - 3, "from the top left to the bottom right"
    assert first == sorted(first, key=lambda row: row or 0) and None not in first


def test_the_labels_of_a_chart_are_round_values_in_their_places():
    rows = drawn(own([(0.5, 2.0), (0.99, 4.0)]), height=14)
    labels = {float(row.split("┤")[0]): n for n, row in enumerate(rows) if "┤" in row}
    assert labels[2.0] == 11 and labels[4.0] == 0, "the axis ends where the losses do"
    assert labels[3.0] == pytest.approx(11 * (1 - math.log(1.5) / math.log(2)), abs=0.5)
    assert rows[-1].split() == ["0:00", "1:15", "2:30", "3:45", "5:00"]
    assert drawn(own(FALLING), width=42)[-1].split() == ["0:00", "2:30", "5:00"]
    assert drawn(own(FALLING), budget_s=12.0)[-1].split()[-2:] == ["12", "s"]


@pytest.mark.parametrize(("low", "high"), [(2.0, 8.0), (3.0, 3.05), (0.01, 90.0), (2.31, 2.36)])
@pytest.mark.parametrize("height", [3, 4, 10])
def test_labels_of_any_range_are_in_it_and_do_not_touch(low, high, height):
    found = chart.ticks(low, high, height)
    assert found and all(low * 0.999 <= float(label) <= high * 1.001 for label in found.values())
    assert set(found) <= set(range(height))
    rows = sorted(found)
    assert all(b - a > 1 for a, b in itertools.pairwise(rows))


def test_the_fall_from_chance_does_not_flatten_what_follows():
    late = [(at, loss) for at, loss in FALLING if at > 0.1]
    rows = drawn(own([(0.001, 5000.0), *late]))
    labels = [float(row.split("┤")[0]) for row in rows if "┤" in row]
    assert max(labels) < 10 and len(labels) > 1


@pytest.mark.parametrize(
    "curve", [[], [(0.5, None)], [(0.5, NAN)], [(0.3, 2.0)], [(0.1, 2.0), (0.9, 2.0)], [(1.0, 0.0)]]
)
def test_a_chart_of_anything(curve):
    assert len(drawn(own(curve))) == 12


def test_a_loss_that_is_not_finite_is_marked_at_the_top():
    with_gap = drawn(own([*((n / 100, 2 + n / 1000) for n in range(90)), (0.95, NAN)]))
    assert set(with_gap[0][48:]) - {" "}


def test_another_race_is_dotted_and_below_and_has_its_style():
    other = Line(curve=[(n / 200, 3.0) for n in range(201)], style="magenta", is_dotted=True)
    rows = chart.chart(
        [other, own([(n / 200, 2.0) for n in range(201)])], 60.0, Size(width=60, height=8)
    )
    dots = {
        style: "".join(t for row in rows for t, s in row if s == style)
        for style in ("magenta", "green")
    }
    assert 10 < len(dots["magenta"].replace(" ", "")) < 30 < len(dots["green"].replace(" ", ""))


@pytest.mark.parametrize("share", [0.0, 0.0501, 0.3, 0.999, 1.0])
def test_a_point_is_never_later_than_its_step(share):
    """One after the share that is asked for would not count as seen by then."""
    recorded = Recorded()
    recorded.add(share, 2.0)
    assert share - 1 / 256 <= recorded.curve()[0][0] <= share


def test_a_curve_of_many_steps_is_kept_in_few_points():
    recorded = Recorded()
    for n in range(100_000):
        recorded.add(n / 100_000, 2.0 if n < 50_000 else 1.0)
    recorded.add(1.0, 1.0)
    curve = recorded.curve()
    assert len(curve) <= 512 and curve[0][1] == 2.0 and curve[-1][1] == 1.0
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(curve))
    recorded.add(0.5, NAN)
    assert sum(math.isnan(loss) for _, loss in recorded.curve()) == 1


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([1.0, 1.0], "▁▁"),
        ([0.0, 1.0], "▁█"),
        ([1.0, NAN], "▁x"),
        ([NAN, math.inf, -math.inf], "xxx"),
        ([0.0, math.inf, 1.0], "▁x█"),
    ],
)
def test_a_sparkline_of_anything(values, shown):
    assert chart.sparkline(values) == shown


def test_a_sparkline_keeps_its_width():
    long = chart.sparkline([1.0] * 90 + [NAN] + [2.0] * 90)
    assert len(long) == 60 and long.count("x") == 1 and long[0] == "▁" and long[-1] == "█"
