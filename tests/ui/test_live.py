"""Live view: plain lines in a pipe, a panel in a terminal."""

import io
import re
import threading
import time

import pytest
from helpers.fakes import run_of
from rich.console import Console

from speedrun.training.progress import Tick
from speedrun.ui import live, panel
from speedrun.ui.estimate import Estimate, Progress
from speedrun.ui.ghost import Ghost, Rivals
from speedrun.ui.live import LiveView, PlainView
from speedrun.ui.panel import Frame, Outlook, RacePanel
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


def test_lines_of_a_race_that_goes_on_begin_where_it_does():
    out = io.StringIO()
    view = PlainView(Console(file=out, width=200))
    view.start(run_of(60.0), "a machine")
    for share in (0.61, 0.62, 0.63, 0.72, 0.73):
        view.tick(tick(share))
    shares = [line.split()[0] for line in out.getvalue().splitlines()[1:]]
    assert shares == ["61%", "72%"]


@pytest.mark.parametrize("width", [60, 120])
def test_the_panel_shows_what_a_racer_looks_for(width, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    monkeypatch.setattr(panel, "PAUSE", 0)
    out = io.StringIO()
    with live.view(Console(file=out, force_terminal=True, width=width)) as view:
        assert isinstance(view, LiveView)
        view.phase("building")
        view.start(run_of(60.0), "a machine")
        for one in ticks(20):
            view.tick(one)
    text = out.getvalue()
    for word in (
        "50%, 0:30 left",
        "1,234 tokens/s",
        "nats/token",
        "a machine",
        "Muon",
        "┤",
        "0:45",
    ):
        assert word in text


def test_drawing_is_rare(monkeypatch):
    view, drawn = LiveView(Console(file=io.StringIO(), force_terminal=True)), []
    view.start(run_of(60.0), "a machine")
    monkeypatch.setattr(view._screen, "paint", drawn.append)
    for one in ticks(1000):
        view.tick(one)
    assert len(drawn) <= 2, "a redraw for every step would be paid for with training time"


def test_drawing_takes_less_than_a_thousandth_of_the_time_however_slow_it_is(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    view, num_frames = LiveView(Console(file=io.StringIO(), force_terminal=True)), 0
    view.start(run_of(60.0), "a machine")

    def paint(rows) -> None:
        nonlocal num_frames
        num_frames += 1
        now[0] += 0.001

    monkeypatch.setattr(view._screen, "paint", paint)
    while now[0] < 300:
        view.tick(tick(now[0] / 300))
        now[0] += 0.01
    assert 50 < num_frames <= 100 and num_frames * 0.001 < 0.001 * 300


NAN = float("nan")


@pytest.mark.parametrize("terminal", [False, True])
def test_an_overshoot_and_a_loss_that_is_not_finite_are_shown(terminal, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    monkeypatch.setattr(panel, "PAUSE", 0)
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
    monkeypatch.setattr(panel, "PAUSE", 0)
    out = io.StringIO()
    with live.view(Console(file=out, force_terminal=True, width=width, color_system=None)) as view:
        view.phase("a phase with a name that is rather longer than any terminal " * 3)
        view.start(run_of(60.0), "a machine with a name that is longer than any terminal " * 3)
        for one in ticks(200):
            view.tick(one)
    lines = [re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", line) for line in out.getvalue().splitlines()]
    assert 50 < max(map(len, lines)) <= min(width - 4, 100)
    assert any("seed 0, 1 min ─" in line for line in lines), "the title is whole"


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
    stage.share = 1.0
    assert stage.spent() == "100%, last checks"
    stage.end()


def test_waiting_is_silent_where_it_is_short(capsys):
    with live.waiting("planning"):
        pass
    assert capsys.readouterr() == ("", "")


def progress() -> Progress:
    seconds = {"startup": 10.0, "compile": 20.0, "evaluate": 30.0}
    return Progress(Estimate(seconds=seconds, budget_s=60.0, origin="a guess"))


@pytest.mark.parametrize("terminal", [False, True])
def test_each_stage_and_training_say_how_much_of_the_command_is_left(terminal, monkeypatch):
    monkeypatch.setattr(live, "PLAIN_EVERY_S", 0.05)
    monkeypatch.setattr(live, "REFRESH_S", 0.0)
    monkeypatch.setattr(panel, "PAUSE", 0)
    out = io.StringIO()
    with live.view(
        Console(file=out, force_terminal=terminal, width=80, height=40), None, progress()
    ) as view:
        view.account("compile")
        view.phase("compiling")
        time.sleep(0.2)
        assert "about 1:59 left" in out.getvalue()
        view.start(run_of(60.0), "a machine")
        view.tick(tick(0.5))
    assert "about 1:29 left" in out.getvalue() and "in all" in out.getvalue()
    assert ("\x1b" in out.getvalue()) is terminal
    assert not [line for line in out.getvalue().split("\n") if line.endswith(" ")] or terminal


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 160])
@pytest.mark.parametrize("height", [8, 14, 24, 40])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_panel_fits_any_terminal(width, height, encoding):
    curve = [(n / 100, 8 - 5 * n / 100) for n in range(1, 101)]
    rivals = Rivals([Ghost("the best on the board", 0.75, curve)], [Ghost("", 0.75, curve)] * 5)
    shown = RacePanel(run=run_of(60.0), machine="a machine " * 8, rivals=rivals)
    for share, loss in curve[:60]:
        shown.recorded.add(share, loss)
    frame = Frame(width=width - 4, height=height, is_ascii=encoding == "ascii")
    rows = shown.rows(tick(0.6, loss_nats=5.0), Outlook(share=0.4, left_s=99.0), frame)
    texts = ["".join(text for text, _ in row) for row in rows]
    assert {len(text) for text in texts if width >= 60} <= {width - 4}
    assert any("1:39 left" in text for text in texts)
    has_axes = any("1:00" in text and "0:30" in text for text in texts)
    assert has_axes is (width >= 60 and height >= 24), "elsewhere the curve is a line of blocks"
    assert len(rows) <= height or height < 24 or width < 60
    if width >= 60:
        assert any("% likely to beat the best on the board" in text for text in texts)


def test_a_quiet_console_shows_nothing():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, quiet=True)
    with live.view(console) as view:
        view.phase("building")
        view.start(run_of(60.0), "a machine")
        view.tick(tick(0.5))
    assert out.getvalue() == ""
