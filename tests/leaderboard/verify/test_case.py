"""The runs that `verify` takes: a record by its first digits, an entry by its best run."""

import pytest
from helpers.made_records import made, write_run

from leaderboard.standing.boards import boards
from leaderboard.store import Store
from leaderboard.verify import case
from speedrun.records.summary import summarize

RECORDS = [made(0.7, 0), made(0.6, 1), made(0.8, 2)]


@pytest.fixture
def store(command, tmp_path):
    runs = [write_run(tmp_path / str(n), record) for n, record in enumerate(RECORDS)]
    assert command("submit", *runs, "--to", tmp_path / "store").code == 0
    return Store(str(tmp_path / "store"))


def test_an_entry_is_verified_by_its_best_run(store):
    (board,) = boards(map(summarize, RECORDS))
    (entry,) = board.entries
    assert case.find(entry.id[:8], store).record.id == RECORDS[1].id
    assert case.find(RECORDS[2].id[:12], store).record.id == RECORDS[2].id


def test_digits_that_fit_none_or_several_are_said_with_what_there_is(store):
    with pytest.raises(LookupError, match=r"no record and no entry begins with abcdef012345"):
        case.find("abcdef012345", store)
    listed = ", ".join(record.id[:4] for record in sorted(RECORDS, key=lambda one: one.id))
    with pytest.raises(LookupError, match=rf"3 ids begin with  \({listed}\); give more digits"):
        case.full_id(store, "")
