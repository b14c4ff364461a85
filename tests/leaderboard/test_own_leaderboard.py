"""LEADERBOARD.md and the tables of the READMEs say what the project's own records say."""

import re
from pathlib import Path

import pytest

from leaderboard import index
from leaderboard.render import columns, markdown
from leaderboard.standing.boards import boards as boards_of
from leaderboard.standing.entries import MIN_SEEDS
from leaderboard.store import Store, open_store
from speedrun.data.heldout import HeldOut
from speedrun.data.storybook.source import Storybook

ROOT = Path(__file__).resolve().parent.parent.parent
# Entries that the project promises: five-minute runs under at least three seeds. The seeds of
# `lstm` and `d3pm` were raced with several commits, so none of their entries has three.
PROMISED = {("transformer", recipe) for recipe in ("default", "goedecke")}


@pytest.fixture(scope="module")
def found():
    return index.read(open_store(None), None)


@pytest.fixture(scope="module")
def boards(found):
    return boards_of(found.runs, found.submissions, found.verifications, found.duels)


def test_every_file_is_valid_ranks_and_is_of_committed_code(found):
    assert found.problems == []
    assert open_store(None).unexpected_files() == []
    assert len(found.runs) >= 10
    assert all(run.dirty is False and run.unranked_because is None for run in found.runs)


def test_the_markdown_table_is_that_of_the_records(boards):
    committed = (ROOT / markdown.FILE).read_text(encoding="utf-8")
    assert committed == markdown.render(boards), f"make it anew: {markdown.COMMAND}"


def test_the_promised_entries_have_their_seeds(boards):
    full = {
        (entry.first.arch, entry.first.recipe_name)
        for board in boards
        for entry in board.entries
        if entry.bits_per_byte.n >= MIN_SEEDS and board.track.budget_s == 300.0
    }
    assert full >= PROMISED


@pytest.mark.parametrize("readme", ["README.md", "architectures/README.md"])
def test_no_mean_in_a_readme_is_written_by_hand(boards, readme):
    """Every `mean ± deviation` of bits per byte in a table row is that of an entry."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    said = {match for row in rows for match in re.findall(r"\b\d\.\d{4} ± \d\.\d{4}\b", row)}
    spreads = {columns.spread(e.bits_per_byte, 4) for board in boards for e in board.entries}
    assert said and said <= spreads


def test_the_storybook_is_known_by_its_first_documents(tmp_path):
    """As many as people score; other numbers open a track of their own."""
    known = [d for d in index.known_data(Store(str(tmp_path))) if d.name == "storybook"]
    assert [data.num_docs for data in known] == [2000, 10, 20, 60, 100, 200, 500, 1000]
    source = Storybook()
    for data in known:
        pinned = HeldOut(source.heldout(data.num_docs))
        assert data.heldout == (source.train_fingerprint, pinned.fingerprint)
        assert data.num_bytes == pinned.num_bytes
