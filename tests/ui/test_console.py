"""Standard streams whose reader leaves, whose disk is full, or that lack a character."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import ROOT

from speedrun.ui.console import Outlet, surviving

RUN = [sys.executable, str(ROOT / "run.py")]
HELP = [*RUN, "--help"]


class Broken(io.StringIO):
    """A stream that fails after some writes."""

    def __init__(self, num_left: int, error: OSError) -> None:
        super().__init__()
        self.num_left, self.error = num_left, error

    def write(self, text: str) -> int:
        self.num_left -= 1
        if self.num_left < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space left on device")])
def test_what_a_stream_no_longer_takes_is_dropped(error):
    stream = Broken(1, error)
    outlet = Outlet(stream)
    for _ in range(3):
        assert outlet.write("line\n") == 5
    outlet.flush()
    assert stream.getvalue() == "line\n" and outlet.failure is error


def test_a_pipe_gets_no_spaces_that_fill_up_rows():
    stream = io.StringIO()
    Outlet(stream).write("a  b   \n   \n c ")
    assert stream.getvalue() == "a  b\n\n c "


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_no_console_lacks_what_is_shown(encoding):
    raw = io.BytesIO()
    outlet = Outlet(io.TextIOWrapper(raw, encoding=encoding))
    outlet.write("1 ± 2 ≤ 3 … ▁▂█ \udcff 日")
    outlet.flush()
    text = raw.getvalue().decode(encoding)
    assert text.startswith("1 ± 2" if encoding != "ascii" else "1 +- 2") and "\udcff" not in text
    assert encoding == "utf-8" or ("<= 3" in text and "_.#" in text)


def test_streams_come_back_as_they_were():
    before = sys.stdout, sys.stderr
    with surviving():
        assert isinstance(sys.stdout, Outlet)
    assert (sys.stdout, sys.stderr) == before


def done(command: list[str], **given: Any) -> subprocess.CompletedProcess:
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | given
    return subprocess.run(command, cwd=ROOT, text=True, timeout=100, **options)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_answer_that_could_not_be_written_is_an_error():
    with Path("/dev/full").open("w") as full:
        ended = done(HELP, stdout=full)
    assert ended.returncode == 1 and "No space left on device" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_reader_who_has_seen_enough_is_none():
    reader, writer = os.pipe()
    os.close(reader)
    with contextlib.closing(os.fdopen(writer, "w")) as gone:
        ended = done(HELP, stdout=gone)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "<&- 2>&-"])
def test_closed_streams_are_no_reason_to_fail(closed):
    ended = done(["sh", "-c", f'exec "$@" {closed}', "sh", *HELP])
    assert ended.returncode == (1 if " >&-" in f" {closed}" else 0), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "words"), [("ascii", ["plan", "--params", "2M"]), ("cp1252", ["leaderboard"])]
)
def test_commands_in_a_console_that_is_not_utf8(encoding, words):
    ended = done([*RUN, *words], env=os.environ | {"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert ended.returncode == 0 and "error" not in ended.stderr.lower(), ended.stderr
    assert ended.stdout.strip()
