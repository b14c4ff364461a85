"""Live view: plain lines in a pipe, a panel in a terminal."""

import io
import re
import threading
import time

import pytest
from helpers.fakes import run_of
from rich.console import Console

from speedrun.training.progress import Tick
from speedrun.ui import live
from speedrun.ui.live import LiveView, PlainView, sparkline
from speedrun.ui.stage import Stage


def tick(share: float, num_steps: int = 10**6, spent_s: float | None = None, **change) -> Tick:
    facts = {"loss_nats": 8 / num_steps, "lr_scale": 1.0, "tokens_per_s": 1234.5}
    spent_s = 60 * share if spent_s is None else spent_s
    counts = {"num_tokens": num_steps * 1000, "num_steps": num_steps}
    return Tick(share=share, spent_s=spent_s, **{**facts, **counts, **change})


def ticks(num: int = 500):
    return [tick(i / num, i) for i in range(1, num + 1)]


def test_plain_output_is_some_ten_lines_without_control_characters():
    out = io.StringIO()
    with live.view(Console(file=out)) as view:
        assert isinstance(view, PlainView)
        view.phase("opening the data")
        view.notice("[bold]not markup[/bold]")
        view.start(run_of(60.0), "a machine")
        for one in ticks():
            view.tick(one)
    text = out.getvalue()
    assert 10 <= sum("left" in line for line in text.splitlines()) <= 11
    assert "[bold]not markup[/bold]" in text
    assert not [c for c in text if ord(c) < 32 and c != "\n"]
    assert "0:30 left" in text and "1,234 tokens/s" in text


@pytest.mark.parametrize("width", [60, 120])
def test_the_panel_shows_what_a_racer_looks_for(width, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    out = io.StringIO()
    with live.view(Console(file=out, force_terminal=True, width=width)) as view:
        assert isinstance(view, LiveView)
        view.phase("building")
        view.start(run_of(60.0), "a machine")
        for one in ticks(20):
            view.tick(one)
    text = out.getvalue()
    for word in ("50%, 0:30 left", "1,234 tokens/s", "nats/token", "a machine", "Muon"):
        assert word in text


def test_drawing_is_rare(monkeypatch):
    view, drawn = LiveView(Console(file=io.StringIO(), force_terminal=True)), []
    view.start(run_of(60.0), "a machine")
    monkeypatch.setattr(view, "_draw", drawn.append)
    for one in ticks(1000):
        view.tick(one)
    assert len(drawn) <= 2, "a redraw for every step would be paid for with training time"


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([1.0, 1.0], "▁▁"),
        ([0.0, 1.0], "▁█"),
        ([1.0, NAN], "▁x"),
        ([NAN, INF, -INF], "xxx"),
        ([0.0, INF, 1.0], "▁x█"),
    ],
)
def test_a_sparkline_of_anything(values, shown):
    assert sparkline(values) == shown


def test_a_sparkline_keeps_its_width():
    long = sparkline([1.0] * 90 + [NAN] + [2.0] * 90)
    assert len(long) == 60 and long.count("x") == 1 and long[0] == "▁" and long[-1] == "█"


@pytest.mark.parametrize("terminal", [False, True])
def test_an_overshoot_and_a_loss_that_is_not_finite_are_shown(terminal, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    out = io.StringIO()
    with live.view(Console(file=out, force_terminal=terminal, width=80)) as view:
        view.start(run_of(60.0), "a machine")
        view.tick(tick(1.0, spent_s=63.5, loss_nats=NAN))
    assert "0:00 left" in out.getvalue() and "nan" in out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_is_drawn_leaves_room_for_what_the_terminal_echoes(width, monkeypatch):
    """A ^C on a full line would move the cursor out of what is redrawn."""
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    out = io.StringIO()
    with live.view(Console(file=out, force_terminal=True, width=width, color_system=None)) as view:
        view.phase("a phase with a name that is rather longer than any terminal " * 3)
        view.start(run_of(60.0), "a machine with a name that is longer than any terminal " * 3)
        for one in ticks(200):
            view.tick(one)
    lines = [re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", line) for line in out.getvalue().splitlines()]
    assert 50 < max(map(len, lines)) <= min(width - 4, 100)
    assert "seed 0, 1 min ─" in out.getvalue(), "the title is whole"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_long_phase_shows_that_it_lives_and_training_has_no_thread(terminal, monkeypatch):
    monkeypatch.setattr(live, "PLAIN_EVERY_S", 0.05)
    monkeypatch.setattr(live, "STAGE_REFRESH_S", 0.05)
    out, threads = io.StringIO(), threading.active_count()
    with live.view(Console(file=out, force_terminal=terminal, width=80)) as view:
        view.phase("opening the data")
        time.sleep(0.3)
        assert "0 s so far" in out.getvalue() and threading.active_count() == threads + 1
        view.start(run_of(60.0), "a machine")
        assert threading.active_count() == threads
        view.phase("scoring")
        view.scoring(0.42)
        time.sleep(0.3)
        assert "42%" in out.getvalue()
    assert threading.active_count() == threads


def test_the_time_left_follows_from_the_share(monkeypatch):
    stage = Stage(lambda stage: None, every_s=60.0)
    stage.begin("scoring")
    began_s = time.monotonic()
    stage.share = 0.4
    assert stage.spent() == "40%", "nothing is guessed from an instant"
    monkeypatch.setattr(time, "monotonic", lambda: began_s + 20)
    assert stage.spent() == "40%, about 30 s left"
    stage.share = 0.05
    assert stage.spent() == "5%, about 6:20 left"
    stage.end()


def test_waiting_is_silent_where_it_is_short(capsys):
    with live.waiting("planning"):
        pass
    assert capsys.readouterr() == ("", "")
