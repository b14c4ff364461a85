"""Races in processes of their own: their end, their words, and the death of their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speedrun.duel import process
from speedrun.records.sections import Host
from speedrun.system import subprocesses

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("code", "exit_code", "error"),
    [
        ("", 0, "ended with exit code 0"),
        ("raise ValueError('broken')", 1, "ValueError: broken"),
        (
            "import sys; print('error: no such recipe', 'x', sep='\\n', file=sys.stderr); exit(2)",
            2,
            "no such recipe",
        ),
    ],
)
def test_a_race_ends_with_its_own_message(code, exit_code, error):
    ended = process.race(python(code), None, lambda line: None)
    assert (ended.exit_code, ended.error) == (exit_code, error)
    host = Host.model_validate(ended.host)
    assert host.matmul_before and host.matmul_before != host.matmul_after  # measured twice


def test_its_last_line_is_heard_while_it_runs():
    code = "import sys, time; print('half way', file=sys.stderr, flush=True); time.sleep(1)"
    heard: list[str] = []
    process.race(python(code), None, heard.append)
    assert heard[0] == "starting" and heard[-1].startswith("half way")


def test_a_checkout_takes_the_place_of_this_code(tmp_path, monkeypatch):
    (tmp_path / "speedrun").mkdir()
    (tmp_path / "speedrun" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests"), "/else"]))
    code = "import speedrun, sys; print('error:', speedrun.__file__, file=sys.stderr); exit(3)"
    ended = process.race(python(code), tmp_path, lambda line: None)
    assert Path(ended.error).is_relative_to(tmp_path)
    assert process.environment(tmp_path)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/else"]


@POSIX
def test_a_race_ends_when_it_is_interrupted(tmp_path):
    mark = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"

    def interrupt(line: str) -> None:
        if mark.exists() and mark.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.race(python(code + "time.sleep(60)"), None, interrupt)
    assert is_gone(int(mark.read_text()))


@POSIX
def test_a_race_ends_when_its_parent_is_killed(tmp_path):
    mark = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
    words = python(code + "time.sleep(60)")
    parent = f"from speedrun.duel import process; process.race({words!r}, None, lambda line: None)"
    with subprocess.Popen(python(parent), env=subprocesses.environment()) as started:
        wait_for(lambda: mark.exists() and bool(mark.read_text()))
        started.send_signal(signal.SIGKILL)
    assert is_gone(int(mark.read_text()))


def is_gone(pid: int) -> bool:
    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    return wait_for(gone)


def wait_for(happened, limit_s: float = 30.0) -> bool:
    end_s = time.monotonic() + limit_s
    while not happened() and time.monotonic() < end_s:
        time.sleep(0.05)
    return happened()
