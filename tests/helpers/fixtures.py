"""A record of a run that ended well, with small changes to it, and the command line."""

import pytest
from helpers import command_line
from helpers.made_records import made, snapshot

from speedrun.records.sanitize import is_sanitized


@pytest.fixture
def make_record():
    """`make_record({"score.bits_per_byte": 0.7})` is a record with these changes."""
    return lambda changes=None: made(changes=changes)


@pytest.fixture
def command(monkeypatch):
    """`command("submit", run)` runs a command of the command line in this process."""
    monkeypatch.setenv("COLUMNS", "240")
    return command_line.command


@pytest.fixture
def refused(command, tmp_path):
    """`refused(says, *args)`: one line that says so, exit code 2, every file as it was."""

    def run(says: str, *args: object) -> None:
        before = snapshot(tmp_path)
        done = command(*args)
        assert done.code == 2 and done.out == "", done
        assert done.err.startswith("error: ") and says in done.err, done.err
        assert is_sanitized(done.err.removesuffix("\n")) and len(done.err) < 2000, done.err
        assert snapshot(tmp_path) == before

    return run
