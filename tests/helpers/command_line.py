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
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        timeout=120,
    )


def one_line_error(done: subprocess.CompletedProcess) -> str:
    """The one error line of a process that ended with exit code 2."""
    assert done.returncode == 2, done.stderr
    return _one_error(done.stderr)


class Done(NamedTuple):
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


def command(*args: object) -> Done:
    """A command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.raises(SystemExit) as stopped,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        app.main([str(arg) for arg in args])
    assert isinstance(stopped.value.code, int)
    return Done(stopped.value.code, out.getvalue(), err.getvalue())


def done_well(*args: object) -> str:
    """Standard output of a command in this process that ends with exit code 0."""
    done = command(*args)
    assert done.code == 0, done
    return done.out


def refused(*args: object) -> str:
    """The one error line of a command in this process that ends with exit code 2."""
    code, _, shown = command(*args)
    assert code == 2, shown
    return _one_error(shown)


def _one_error(shown: str) -> str:
    errors = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in shown, shown
    return errors[0]
