"""The index of a store: what is valid is a summary, all else a line that names the file."""

import json
import os
from pathlib import Path

import pytest
from helpers.made_records import NUM_BYTES, add, add_note, made, submission, verification

from leaderboard import index
from leaderboard.attestations import MAX_NOTE_BYTES, DataSet
from leaderboard.store import Store
from speedrun.data.hub.tinystories import FINGERPRINT
from speedrun.records.schema import MAX_RECORD_BYTES
from speedrun.records.summary import summarize

RECORDS = [made(0.7 + seed / 100, seed) for seed in range(3)]
BYTES = {"score.num_bytes": 2 * NUM_BYTES, "score.bits_per_byte": 0.375}  # of the same nats
NUM_KNOWN = len(json.loads(Path(index.__file__).with_name("known_data.json").read_text()))
NEW_DATA = {"data.train_fingerprint": "e" * 64}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A store with three records, one with a note."""
    for record in RECORDS:
        add(tmp_path / "store", record, **({"name": "new"} if record.seed == 0 else {}))
    return tmp_path / "store"


def read(folder: Path, cache: Path | None = None) -> index.Index:
    return index.read(Store(str(folder)), cache)


def problem(folder: Path, file: str) -> str:
    """The one problem of a store; it names the file."""
    found = read(folder)
    (line,) = found.problems
    assert line.startswith(f"{folder}/{file}"), line
    assert line.isprintable() and len(line) < 1500
    assert (len(found.runs), len(found.submissions)) == (3, 1)
    return line


def test_summaries_and_notes_are_found(folder):
    found = read(folder)
    bare = sorted(run._replace(file_sha256="") for run in found.runs)
    assert bare == sorted(map(summarize, RECORDS))
    assert found.submissions[RECORDS[0].id].name == "new" and len(found.submissions) == 1
    assert found.problems == [] and len(found.data) == NUM_KNOWN


def test_one_record_is_fetched_checked(folder):
    store, record = Store(str(folder)), RECORDS[0]
    (row,) = (row for row in read(folder).runs if row.id == record.id)
    assert index.fetch(store, record.id) == index.fetch(store, record.id, row.file_sha256) == record
    with pytest.raises(LookupError, match="no record"):
        index.fetch(store, "0" * 64)
    (folder / f"{'0' * 64}.json").write_text(record.to_json())
    with pytest.raises(ValueError, match="holds the record"):
        index.fetch(store, "0" * 64)
    (folder / f"{record.id}.json").write_text(record.to_json().replace('"seed": 0', '"seed": 1', 1))
    with pytest.raises(ValueError, match="changed afterwards"):
        index.fetch(store, record.id, row.file_sha256)


NO_RECORD, NOTE = f"{'0' * 64}.json", f"{RECORDS[1].id}.submission.json"
STRANGE = verification(RECORDS[0].id)
WRONG = made(changes={"score.bits_per_byte": 0.1})


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (NO_RECORD, "{", "not a record"),
        (NO_RECORD, " " * (MAX_RECORD_BYTES + 1), str(MAX_RECORD_BYTES)),
        (NO_RECORD, RECORDS[2].to_json(), "holds the record"),
        (NO_RECORD, RECORDS[2].to_json().replace("0.7", "0.6", 1), "its id does not match"),
        (f"{WRONG.id}.json", WRONG.to_json(), "but its parts give"),
        (NOTE, "{}", "not a submission note"),
        (NOTE, " " * (MAX_NOTE_BYTES + 1), str(MAX_NOTE_BYTES)),
        (NOTE, submission("f" * 64).to_json(), "does not belong to its content"),
        (f"{STRANGE.record}.verification.{'0' * 12}.json", STRANGE.to_json(), "does not belong"),
    ],
    ids=range(9),
)
def test_a_file_that_does_not_hold_is_left_out(folder, name, text, says):
    (folder / name).write_text(text)
    assert says in problem(folder, name)


def test_a_note_on_no_record_is_told(folder):
    add_note(folder, submission("f" * 64))
    (line,) = read(folder).problems
    assert "a note on a record that is not there" in line and "f" * 64 in line


def test_verifications_are_found_under_their_digest(folder):
    add_note(folder, STRANGE)
    assert read(folder).verifications == {STRANGE.record: [STRANGE]}


def data_set(record, num_bytes: int = NUM_BYTES) -> DataSet:
    return DataSet(
        name="new data",
        train_fingerprint=record.data.train_fingerprint,
        heldout_fingerprint=record.data.heldout_fingerprint,
        num_docs=2000,
        num_bytes=num_bytes,
    )


@pytest.mark.parametrize("changes", [NEW_DATA, {"data.heldout_fingerprint": "e" * 64}])
def test_a_record_of_unknown_data_is_left_out_until_its_note_is_there(folder, changes):
    record = made(0.5, 9, changes)
    add(folder, record)
    assert "known" in problem(folder, f"{record.id}.json")
    add_note(folder, data_set(record))
    assert len(read(folder).runs) == 4 and not read(folder).problems


def test_a_data_note_cannot_contradict_the_projects_own(folder):
    add_note(folder, data_set(made(), 2 * NUM_BYTES))
    add(folder, made(changes=BYTES))
    found = read(folder)
    assert len(found.runs) == 3
    assert len(found.data) == len(index.known_data(Store(str(folder)))) == NUM_KNOWN
    for says in ("contradicts", f"divides by {2 * NUM_BYTES} bytes"):
        assert any(says in line for line in found.problems)


TITLE = {"name": "tinystories", "num_docs": 2000}  # of the project's own data


@pytest.mark.parametrize(
    "changes",
    [
        {"heldout_fingerprint": "e" * 64},
        {"train_fingerprint": "ff16" + "0" * 60, "heldout_fingerprint": "e" * 64},
        {"heldout_fingerprint": "e" * 64, "name": "Tiny\uff33tories"},  # a full-width S
        {"train_fingerprint": FINGERPRINT, "name": "the real TinyStories"},
    ],
)
def test_no_second_data_set_has_the_title_of_another(folder, changes):
    note = data_set(made()).model_copy(update=TITLE | changes)
    add_note(folder, note)
    found = read(folder)
    assert len(found.data) == len(index.known_data(Store(str(folder)))) == NUM_KNOWN
    assert [
        line for line in found.problems if "or of their title" in line and note.file_name in line
    ]


def test_two_held_out_texts_of_one_number_and_revision_count_neither(folder):
    pinned = {"train_fingerprint": FINGERPRINT, "name": "tinystories"}
    for digit in "ab":
        heldout = {"heldout_fingerprint": digit * 64}
        add_note(folder, data_set(made()).model_copy(update=pinned | heldout))
    found = read(folder)
    assert len(found.data) == NUM_KNOWN and len(found.problems) == 2


def test_data_notes_that_contradict_each_other_count_neither(folder):
    record = made(changes=NEW_DATA)
    add(folder, record)
    for num_bytes in (NUM_BYTES, 2 * NUM_BYTES):
        add_note(folder, data_set(record, num_bytes))
    found = read(folder)
    assert (len(found.runs), len(found.data)) == (3, NUM_KNOWN)
    assert len([line for line in found.problems if "contradicts" in line]) == 2


def test_one_data_set_has_one_name(folder):
    add(folder, made(0.6, 8, {"data.name": "my copy"}))
    assert {run.data_name for run in read(folder).runs} == {"tinystories"}


def test_what_was_read_is_cached_and_a_broken_cache_costs_time_alone(folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = read(folder, cache)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "read", None)  # nothing is read again
        assert read(folder, cache) == first
    (cached,) = (cache / "leaderboard").iterdir()
    for text in ("", "{", "[]", '{"x": 1}'):
        cached.write_text(text)
        assert read(folder, cache) == first
    (tmp_path / "file").write_text("no folder")
    assert read(folder, tmp_path / "file") == first


def test_a_file_that_changed_is_read_again(folder, tmp_path):
    read(folder, tmp_path)
    path = folder / f"{RECORDS[0].id}.json"
    text, stat = path.read_text(), path.stat()
    path.write_text(text.replace('"bits_per_byte": 0.7', '"bits_per_byte": 0.6'))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same date
    found = read(folder, tmp_path)
    assert "its id does not match" in found.problems[0] and len(found.runs) == 2
    path.unlink()
    assert len(read(folder, tmp_path).runs) == 2


def test_problems_are_not_cached(folder, tmp_path, monkeypatch):
    """A record that is refused today, for its date or an older rule, may be right tomorrow."""
    with monkeypatch.context() as patch:
        patch.setattr(index.validate, "problems", lambda _, must_rank: ["not yet"])
        assert read(folder, tmp_path).runs == []
    assert len(read(folder, tmp_path).runs) == 3 and not read(folder, tmp_path).problems


def test_many_files_are_read_by_many_processes_alike(folder, monkeypatch):
    alone = read(folder)
    monkeypatch.setattr(index, "_PARALLEL_FROM", 1)
    assert read(folder) == alone
