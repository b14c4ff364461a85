"""Live view: plain lines in a pipe, a panel in a terminal."""

import io

import pytest
from helpers.fakes import run_of
from rich.console import Console

from speedrun.training.trainer import Tick
from speedrun.ui import live
from speedrun.ui.live import LiveView, PlainView, sparkline


def ticks(num: int = 500):
    for i in range(1, num + 1):
        share = i / num
        yield Tick(
            share=share,
            spent_s=60 * share,
            loss_nats=8 / i,
            lr_scale=1.0,
            num_tokens=i * 1000,
            num_steps=i,
            tokens_per_s=1234.5,
        )


def test_the_view_fits_where_it_writes_to():
    assert isinstance(live.view(Console(file=io.StringIO())), PlainView)
    assert isinstance(live.view(Console(file=io.StringIO(), force_terminal=True)), LiveView)


def test_plain_output_is_some_ten_lines_without_control_characters():
    out = io.StringIO()
    with PlainView(Console(file=out)) as view:
        view.phase("opening the data")
        view.notice("[bold]not markup[/bold]")
        view.start(run_of(60.0), "a machine")
        for tick in ticks():
            view.tick(tick)
    text = out.getvalue()
    assert 10 <= sum("left" in line for line in text.splitlines()) <= 11
    assert "[bold]not markup[/bold]" in text
    assert not [c for c in text if ord(c) < 32 and c != "\n"]
    assert "0:30 left" in text and "1,234 tokens/s" in text


@pytest.mark.parametrize("width", [60, 120])
def test_the_panel_shows_what_a_racer_looks_for(width, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width)
    with LiveView(console) as view:
        view.phase("building")
        view.start(run_of(60.0), "a machine")
        for tick in ticks(20):
            view.tick(tick)
        view.scoring(0.5)
    text = out.getvalue()
    for word in ("50%, 0:30 left", "1,234 tokens/s", "nats/token", "a machine", "Muon", "scoring"):
        assert word in text


def test_drawing_is_rare(monkeypatch):
    view, drawn = LiveView(Console(file=io.StringIO(), force_terminal=True)), []
    view.start(run_of(60.0), "a machine")
    monkeypatch.setattr(view, "_draw", drawn.append)
    for tick in ticks(1000):
        view.tick(tick)
    assert len(drawn) <= 2, "a redraw for every step would be paid for with training time"


@pytest.mark.parametrize(
    ("values", "shown"),
    [([], ""), ([1.0, 1.0], "▁▁"), ([0.0, 1.0], "▁█"), ([1.0, float("nan")], "▁x")],
)
def test_a_sparkline_of_anything(values, shown):
    assert sparkline(values) == shown


def test_a_sparkline_keeps_its_width():
    assert len(sparkline([float(i) for i in range(1000)])) == 60


def test_a_sparkline_of_what_is_not_finite():
    nan, inf = float("nan"), float("inf")
    assert sparkline([nan, inf, -inf]) == "xxx"
    assert sparkline([0.0, inf, 1.0]) == "▁x█"
    long = sparkline([1.0] * 90 + [nan] + [2.0] * 90)
    assert len(long) == 60 and long.count("x") == 1 and long[0] == "▁" and long[-1] == "█"


def last_tick(spent_s: float, loss_nats: float) -> Tick:
    return Tick(
        share=1.0,
        spent_s=spent_s,
        loss_nats=loss_nats,
        lr_scale=0.0,
        num_tokens=10**9,
        num_steps=10**6,
        tokens_per_s=1e7,
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_an_overshoot_and_a_loss_that_is_not_finite_are_shown(terminal, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    out = io.StringIO()
    with live.view(Console(file=out, force_terminal=terminal, width=80)) as view:
        view.start(run_of(60.0), "a machine")
        view.tick(last_tick(63.5, float("nan")))
    assert "0:00 left" in out.getvalue() and "nan" in out.getvalue()


@pytest.mark.parametrize("width", [60, 120])
def test_the_panel_is_no_wider_than_the_terminal(width):
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    view = LiveView(console)
    view.start(run_of(60.0), "a machine with a name that is rather longer than any terminal " * 3)
    view._losses = [1.0] * 1000
    lines = console.render_lines(view._panel(last_tick(1.0, 1.0)), pad=False)
    assert max(sum(segment.cell_length for segment in line) for line in lines) <= min(width, 100)
