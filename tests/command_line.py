"""Commands of the command line, run in this process."""

import contextlib
import io
from typing import NamedTuple

import pytest

from speedrun import cli


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
        cli.main([str(arg) for arg in args])
    assert isinstance(stopped.value.code, int)
    return Done(stopped.value.code, out.getvalue(), err.getvalue())


def refused(*args: object) -> str:
    """The one line of a command that could not be carried out."""
    code, _, shown = command(*args)
    errors = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and "Traceback" not in shown, shown
    return errors[0]
