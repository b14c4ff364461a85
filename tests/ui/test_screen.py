"""Drawing in place: only what changed, within the terminal, and nothing left behind."""

import io
import os
import pty
import re
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from helpers.terminals import Terminal
from rich.console import Console

from speedrun.ui import screen

ROOT = Path(__file__).resolve().parents[2]
ROWS = [[("one ", ""), ("green", "bold green")], [("two", "dim")], [("three", "")]]


def opened(width: int = 60, **more):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=20, **more)
    shown = screen.screen(console)
    shown.start()
    return shown, console, out


def test_only_rows_that_changed_are_written():
    shown, _, out = opened()
    shown.paint(ROWS)
    before = out.tell()
    shown.paint([ROWS[0], [("2", "")], ROWS[2]])
    written = out.getvalue()[before:]
    assert "2" in written and "one" not in written and "three" not in written
    shown.paint([ROWS[0], [("2", "")], ROWS[2]])
    assert out.getvalue()[before:] == written, "nothing changed"
    terminal = Terminal(60)
    terminal.feed(out.getvalue())
    assert terminal.rows == ["one green", "2", "three"]


def test_notices_stand_above_and_the_end_leaves_them_alone():
    shown, console, out = opened()
    terminal = Terminal(60)
    shown.paint(ROWS)
    shown.paint([*ROWS[:2], [("3", "")]])
    console.print("a notice")
    shown.paint([*ROWS[:2], [("4", "")]])
    terminal.feed(out.getvalue())
    assert terminal.rows == ["a notice", "one green", "two", "4"]
    shown.stop()
    terminal = Terminal(60)
    terminal.feed(out.getvalue())
    assert terminal.rows == ["a notice"]


@pytest.mark.parametrize(("colours", "codes"), [({}, "1;32"), ({"no_color": True}, "1")])
def test_without_colours_weight_remains(colours, codes):
    shown, _, out = opened(color_system="standard", **colours)
    shown.paint([[("a", "")]])
    shown.paint([ROWS[0]])
    assert f"\x1b[{codes}mgreen\x1b[0m" in out.getvalue()


def test_rows_are_cut_to_the_terminal():
    shown, _, out = opened(width=30)
    for text in ("x" * 200, "y" * 200):
        shown.paint([[(text, "")]] * 50)
    lines = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) == 26 and "..." not in out.getvalue()


def test_a_notebook_replaces_its_output(monkeypatch):
    updates = []

    class Handle:
        def update(self, what):
            updates.append(what)

    display = types.SimpleNamespace(display=lambda what, display_id: Handle())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    console = Console(force_jupyter=True, file=io.StringIO())
    shown = screen.screen(console)
    assert isinstance(shown, screen.NotebookScreen)
    shown.start()
    shown.paint(ROWS)
    assert "one" in updates[0]._repr_mimebundle_([], [])["text/html"]
    shown.stop()
    assert str(updates[-1]) == ""


SCRIPT = """
import os, sys, time
from helpers.fakes import run_of
from rich.console import Console
from speedrun.system import interrupts
from speedrun.system.interrupts import Stopping
from speedrun.training.progress import Tick
from speedrun.ui import live
where = sys.argv[1]
with Stopping() as stopping:
    try:
        with live.view(Console()) as view:
            view.notice("a notice")
            if where == "stage":
                view.phase("compiling")
            else:
                view.start(run_of(60.0), "a machine")
                for n in range(1, 4):
                    tick = {"share": n / 10, "loss_nats": 5.0 / n, "lr_scale": 1.0, "num_steps": n}
                    view.tick(Tick(**tick, num_tokens=n, spent_s=6.0 * n, tokens_per_s=1.0))
                    time.sleep(0.6)
            os.write(2, b"ready\\n")
            if where == "native":  # like a long step: no handler runs meanwhile
                import hashlib
                hashlib.pbkdf2_hmac("sha512", b"", b"", 30_000_000)
            time.sleep(30)
    except KeyboardInterrupt:
        print(stopping.claim())
"""


def shown_after_ctrl_c(where: str, width: int) -> list[str]:
    """The rows of a terminal in which Ctrl-C was typed, which echoes ^C."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(width), "LINES": "40", "TERM": "xterm-256color"}
    command = [sys.executable, "-c", SCRIPT, where]
    pipes = {"stdin": theirs, "stdout": theirs, "stderr": subprocess.PIPE}
    where_from = {"cwd": ROOT, "env": environment | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests"}}
    child = subprocess.Popen(
        command,
        **pipes,
        **where_from,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0),
    )
    os.close(theirs)
    text = b""
    try:
        assert child.stderr is not None and child.stderr.readline() == b"ready\n"
        os.write(ours, b"\x03")
        until_s = time.monotonic() + 20
        while time.monotonic() < until_s:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
        errors = child.stderr.read()
        child.wait(timeout=10)
    finally:
        child.kill()
        os.close(ours)
    assert b"^C" in text and b"a notice" in text, "the test types what it says"
    terminal = Terminal(width)
    terminal.feed((text + errors).decode())
    return terminal.rows


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the number of an ioctl")
@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("where", ["stage", "training", "native"])
def test_ctrl_c_leaves_the_notices_and_one_line(where, width):
    assert shown_after_ctrl_c(where, width) == [
        "· a notice",
        "stopped (SIGINT); nothing was recorded",
    ]
