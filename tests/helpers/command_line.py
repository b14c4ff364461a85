"""The command line, run in this process or in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from speedrun.cli import app

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--params", "60K", "--vocab", "300", "--eval-docs", "20", "--set", "model.context=32"]
FAST = ["--set", "recipe.compile=false", "--set", "recipe.precision=fp32", "--tune", "off"]


def run(*args: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        timeout=120,
    )


def one_line_error(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    return errors[0]


class Done(NamedTuple):
    code: int
    out: str
    err: str


def command(*args: object) -> Done:
    """Exit code, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.raises(SystemExit) as stopped,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        app.main([str(arg) for arg in args])
    assert isinstance(stopped.value.code, int)
    return Done(stopped.value.code, out.getvalue(), err.getvalue())


def refused(*args: object) -> str:
    """The one line of a command that could not be carried out."""
    code, _, shown = command(*args)
    errors = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and "Traceback" not in shown, shown
    return errors[0]
