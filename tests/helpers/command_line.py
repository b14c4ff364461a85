"""The command line in this process."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import pytest

from speedrun.cli import app

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--params", "60K", "--vocab", "300", "--eval-docs", "20", "--set", "model.context=32"]
FAST = ["--set", "recipe.compile=false", "--set", "recipe.precision=fp32", "--tune", "off"]


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
    """Standard output of a command that ends with exit code 0."""
    done = command(*args)
    assert done.code == 0, done
    return done.out


def refused(*args: object) -> str:
    """The one error line of a command that ends with exit code 2."""
    code, _, shown = command(*args)
    assert code == 2 and "Traceback" not in shown, shown
    return the_error(shown)


def the_error(shown: str) -> str:
    """The one error line of what a command showed."""
    errors = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, shown
    return errors[0]


def runs(out: Path) -> list[Path]:
    """The run directories that races left in a folder, none of them half done."""
    assert not list(out.glob(".*partial"))
    return sorted(folder for folder in out.iterdir() if not folder.name.startswith("."))
