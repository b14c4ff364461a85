"""A record of a run that ended well, small changes to it, and the command line."""

import copy
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from helpers import command_line
from helpers.made_records import CONTENT, changed, snapshot

from speedrun.records.schema import seal


@pytest.fixture
def content() -> dict[str, Any]:
    """The content of a record, to be changed freely."""
    return copy.deepcopy(CONTENT)


@pytest.fixture
def make_record():
    """`make_record({"score.bits_per_byte": 0.7})` seals a record with these changes."""
    return lambda changes=None: seal(changed(changes))


@pytest.fixture
def command(monkeypatch):
    """`command("submit", run)` runs a command of the command line in this process."""
    monkeypatch.setenv("COLUMNS", "240")
    return command_line.command


def is_one_line(text: str) -> bool:
    """Whether an error is one short line that does nothing to a terminal."""
    acts = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    return not acts and len(text) < 2000


@pytest.fixture
def refused(command, tmp_path):
    """`refused(says, *args)`: one line that says so, exit code 2, every file as it was."""

    def run(says: str, *args: object, watch: Path = tmp_path) -> None:
        before = snapshot(watch)
        done = command(*args)
        assert done.code == 2, done
        assert done.out == ""
        assert done.err.startswith("error: ") and says in done.err, done.err
        assert is_one_line(done.err.removesuffix("\n")), done.err
        assert snapshot(watch) == before

    return run
