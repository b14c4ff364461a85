"""The index of a store: what is valid is a summary, all else a line that names the file."""

import json
import os
from pathlib import Path

import pytest
from helpers.made_records import add, add_note, made, put, resealed, score, submission, verification

from leaderboard import index
from leaderboard.attestations import MAX_NOTE_BYTES, DataSet
from leaderboard.index import read
from leaderboard.store import Store
from speedrun.records.schema import MAX_RECORD_BYTES
from speedrun.records.summary import summarize


@pytest.fixture
def folder(tmp_path) -> Path:
    """A store with three records, one with a note."""
    folder = tmp_path / "store"
    for seed in range(3):
        add(folder, made(0.7 + seed / 100, seed), **({"name": "new"} if seed == 0 else {}))
    return folder


def problem(folder: Path, file: str) -> str:
    """The one problem of a store; it names the file."""
    (line,) = read(Store(str(folder)), None).problems
    assert line.startswith(f"{folder}/{file}"), line
    assert line.isprintable() and len(line) < 1500
    return line


def test_summaries_and_notes_are_found(folder):
    found = read(Store(str(folder)), None)
    records = [made(0.7 + seed / 100, seed) for seed in range(3)]
    bare = sorted(found._replace(file_sha256="") for found in found.runs)
    assert bare == sorted(summarize(record) for record in records)
    assert found.submissions[records[0].id].name == "new" and len(found.submissions) == 1
    assert found.problems == [] and len(found.data) == 3


def test_one_record_is_fetched_checked(folder):
    store, record = Store(str(folder)), made(0.7, 0)
    assert index.fetch(store, record.id) == record
    with pytest.raises(LookupError, match="no record"):
        index.fetch(store, "0" * 64)
    (folder / f"{'0' * 64}.json").write_text(record.to_json())
    with pytest.raises(ValueError, match="holds the record"):
        index.fetch(store, "0" * 64)


def test_a_file_that_changed_since_it_was_checked_is_checked_again(folder):
    store, record = Store(str(folder)), made(0.7, 0)
    (row,) = [row for row in read(store, None).runs if row.id == record.id]
    assert len(row.file_sha256) == 64
    assert index.fetch(store, record.id, row.file_sha256) == record
    path = folder / f"{record.id}.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1', 1))
    with pytest.raises(ValueError, match="changed afterwards"):
        index.fetch(store, record.id, row.file_sha256)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a record"),
        (" " * (MAX_RECORD_BYTES + 1), str(MAX_RECORD_BYTES)),
        (made(0.7, 9).to_json(), "holds the record"),
        (made(0.7, 9).to_json().replace("0.7", "0.6", 1), "its id does not match"),
    ],
)
def test_a_file_that_is_no_record_is_left_out(folder, text, says):
    name = f"{'0' * 64}.json"
    (folder / name).write_text(text)
    assert says in problem(folder, name)
    assert len(read(Store(str(folder)), None).runs) == 3


def test_a_record_with_objections_is_left_out(folder):
    record = made(changes={"score.bits_per_byte": 0.1})
    add(folder, record)
    assert "but its parts give" in problem(folder, f"{record.id}.json")


@pytest.mark.parametrize(
    "changes", [{"data.train_fingerprint": "e" * 64}, {"data.heldout_fingerprint": "e" * 64}]
)
def test_a_record_of_unknown_data_is_left_out_until_its_note_is_there(folder, changes):
    record = made(0.5, 9, changes)
    add(folder, record)
    assert "known" in problem(folder, f"{record.id}.json")
    note = data_set(record)
    add_note(folder, note)
    found = read(Store(str(folder)), None)
    assert len(found.runs) == 4 and not found.problems


def data_set(record, **changes) -> DataSet:
    facts = {
        "name": "new data",
        "train_fingerprint": record.data.train_fingerprint,
        "heldout_fingerprint": record.data.heldout_fingerprint,
        "num_docs": score(record).num_docs,
        "num_bytes": score(record).num_bytes,
    }
    return DataSet.model_validate({**facts, **changes})


def test_a_data_note_cannot_contradict_the_projects_own(folder):
    note = data_set(made(), num_bytes=99_999_999)
    add_note(folder, note)
    forged = made(changes={"score.num_bytes": 99_999_999})
    content = forged.content()
    put(content, "score.bits_per_byte", score(forged).nats / 0.6931471805599453 / 99_999_999)
    lower = json.loads(resealed(content))
    (folder / f"{lower['id']}.json").write_text(json.dumps(lower))
    store = Store(str(folder))
    found = read(store, None)
    assert len(found.runs) == 3 and len(found.data) == 3
    assert any("contradicts" in line for line in found.problems)
    assert any("divides by 99999999 bytes" in line for line in found.problems)
    assert len(index.known_data(store)) == 3


def test_data_notes_that_contradict_each_other_count_neither(folder):
    record = made(changes={"data.train_fingerprint": "e" * 64})
    add(folder, record)
    for num_bytes in (score(record).num_bytes, 99_999_999):
        note = data_set(record, num_bytes=num_bytes)
        add_note(folder, note)
    found = read(Store(str(folder)), None)
    assert len(found.runs) == 3 and len(found.data) == 3
    assert len([line for line in found.problems if "contradicts" in line]) == 2


def test_one_data_set_has_one_name(folder):
    add(folder, made(0.6, 8, {"data.name": "my copy"}))
    assert {found.data_name for found in read(Store(str(folder)), None).runs} == {"tinystories"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "not a submission note"),
        (" " * (MAX_NOTE_BYTES + 1), str(MAX_NOTE_BYTES)),
        (submission("f" * 64).to_json(), "does not belong to its content"),
    ],
)
def test_a_note_that_does_not_hold_is_left_out(folder, text, says):
    name = f"{made(0.71, 1).id}.submission.json"
    (folder / name).write_text(text)
    assert says in problem(folder, name)
    assert len(read(Store(str(folder)), None).submissions) == 1


def test_a_note_on_no_record_is_told(folder):
    add_note(folder, submission("f" * 64))
    assert "a note on a record that is not there" in problem(folder, "f" * 64)


def test_verifications_are_found_under_their_digest(folder):
    record = made(0.7, 0)
    note = verification(record.id)
    add_note(folder, note)
    assert read(Store(str(folder)), None).verifications == {record.id: [note]}
    wrong = f"{record.id}.verification.{'0' * 12}.json"
    (folder / wrong).write_text(note.to_json())
    assert "does not belong" in problem(folder, wrong)


def test_what_was_read_is_cached_and_read_once(folder, tmp_path, monkeypatch):
    store, cache = Store(str(folder)), tmp_path / "cache"
    first = read(store, cache)
    assert len(list((cache / "leaderboard").iterdir())) == 1
    monkeypatch.setattr(Store, "read", None)  # nothing is read again
    second = read(store, cache)
    assert second == first


def test_a_file_that_changed_is_read_again(folder, tmp_path):
    store, cache = Store(str(folder)), tmp_path / "cache"
    read(store, cache)
    path = folder / f"{made(0.7, 0).id}.json"
    text, stat = path.read_text(), path.stat()
    path.write_text(text.replace('"bits_per_byte": 0.7', '"bits_per_byte": 0.6'))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same date
    found = read(store, cache)
    assert "its id does not match" in found.problems[0] and len(found.runs) == 2
    path.unlink()
    assert len(read(store, cache).runs) == 2


def test_problems_are_not_cached(folder, tmp_path, monkeypatch):
    """What is refused today, for its date or an older rule, may be right tomorrow."""
    store, cache = Store(str(folder)), tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(index.validate, "problems", lambda _: ["not yet"])
        assert read(store, cache).runs == []
    found = read(store, cache)
    assert len(found.runs) == 3 and not found.problems


def test_a_broken_cache_costs_time_alone(folder, tmp_path):
    store, cache = Store(str(folder)), tmp_path / "cache"
    first = read(store, cache)
    (cached,) = (cache / "leaderboard").iterdir()
    for text in ("", "{", "[]", '{"x": 1}'):
        cached.write_text(text)
        assert read(store, cache) == first
    (tmp_path / "file").write_text("no folder")
    assert read(store, tmp_path / "file") == first


def test_many_files_are_read_by_many_processes_alike(folder, monkeypatch):
    store = Store(str(folder))
    alone = read(store, None)
    monkeypatch.setattr(index, "_PARALLEL_FROM", 1)
    assert read(store, None) == alone
