"""From a finished run to a record of a leaderboard: checked, added once, never changed."""

import json
import os
import sys
import uuid

import pytest
from helpers.made_records import CONTENT, WEIGHTS, made, put, snapshot, verification, write_run

from leaderboard import index
from leaderboard.store import Store
from speedrun.records.schema import seal

RECORD = seal(CONTENT)
NEW_DATA = {"data.train_fingerprint": "e" * 64, "data.name": "fables"}


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", RECORD)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "new" / "store"


@pytest.fixture
def submitted(command, run, store):
    """`submitted("--name", "x")` submits the run, or those given, and returns the output."""

    def act(*options, runs=(run,)):
        done = command("submit", *runs, "--to", store, *options)
        assert done.code == 0, done.err
        return done.out

    return act


def names(folder) -> list[str]:
    return sorted(snapshot(folder))


def read(store):
    found = index.read(Store(str(store)), None)
    assert not found.problems
    return found


def test_a_run_becomes_a_record_with_a_note(submitted, run, store):
    out = submitted("--name", "more heads", "--author", "Ann")
    assert out == f"{RECORD.id[:12]}: added record to {store}, as 'more heads' by Ann\n"
    assert names(store) == [f"{RECORD.id}.json", f"{RECORD.id}.submission.json"]
    assert (store / f"{RECORD.id}.json").read_bytes() == (run / "record.json").read_bytes()
    assert read(store).submissions[RECORD.id].author == "Ann"


def test_once_more_changes_nothing_and_says_so(submitted, store):
    submitted("--name", "more heads")
    before = snapshot(store)
    for extra in ((), ("--name", "more heads")):
        assert "added nothing new to" in submitted(*extra)
    said = f"added nothing new to {store}, as 'more heads'\n"
    assert submitted("--name", "other", "--author", "Ben").endswith(said)
    assert snapshot(store) == before
    (note,) = store.glob("*.submission.json")
    note.unlink()  # a record that somebody put there by hand
    out = submitted("--name", "more heads")
    assert f"added name to {store}, as 'more heads'" in out


def test_an_interrupted_submission_is_made_whole(submitted, store):
    submitted("--name", "first")
    (store / f"{RECORD.id}.json").unlink()
    out = submitted("--name", "second")
    assert "added" in out and "as 'first'" in out  # what the store says
    read(store)


def test_json_says_what_became_of_each(command, run, tmp_path, store):
    other = write_run(tmp_path / "other", made(0.7, 1))
    file = run / "record.json"  # instead of its folder
    done = command("submit", run, other, file, "--to", store, "--json", "--name", "x")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["added"] for one in found] == [True, True, False]
    assert [one["id"] for one in found] == [RECORD.id, made(0.7, 1).id, RECORD.id]
    assert all(one["name"] == "x" for one in found) and "added" in done.err


def test_weights_are_stored_beside_the_record(submitted, store):
    submitted()
    assert "added weights to" in submitted("--with-weights")
    assert (store / f"weights/{RECORD.weights_sha256}.safetensors").read_bytes() == WEIGHTS
    assert (store / f"tokenizers/{RECORD.tokenizer.fingerprint}.json").is_file()
    before = snapshot(store)
    assert "added nothing new" in submitted("--with-weights")
    assert snapshot(store) == before
    read(store)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.safetensors", WEIGHTS + b"!", "SHA-256 differs"),
        ("model.safetensors", None, "cannot be read"),
        ("model.safetensors", b"x" * (18 << 20), "larger than it may be"),
        ("tokenizer.json", None, "cannot be read"),
        ("tokenizer.json", b" " * (17 << 20), str(16 << 20)),
    ],
    ids=range(5),
)
def test_weights_that_are_not_the_records_are_refused(refused, run, store, file, content, says):
    (run / file).unlink() if content is None else (run / file).write_bytes(content)
    refused(says, "submit", run, "--to", store, "--with-weights")


def test_one_bad_run_among_many_adds_nothing(refused, run, tmp_path, store):
    bad = write_run(tmp_path / "bad", made(changes={"score.bits_per_byte": 0.1}))
    strange = write_run(tmp_path / "strange", made(changes=NEW_DATA))
    refused("its parts give", "submit", run, bad, "--to", store)
    refused("is not known there", "submit", run, strange, "--to", store)
    refused("no record.json", "submit", run, tmp_path / "none", "--to", store)


def test_new_data_open_a_track_only_if_asked(submitted, refused, tmp_path, store):
    first, second = (write_run(tmp_path / str(n), made(0.5, n, NEW_DATA)) for n in range(2))
    refused("--new-data opens a track for it", "submit", first, "--to", store)
    submitted("--new-data", runs=[first])
    submitted(runs=[second])
    assert len([name for name in names(store) if name.endswith(".data.json")]) == 1
    assert [run.data_name for run in read(store).runs] == ["fables", "fables"]


def other_size(changes=None):
    """A score that divides the same nats by more bytes."""
    content = made(0.75, 0, changes).content()
    bits = content["score"]["bits_per_byte"] * content["score"]["num_bytes"] / 10_000_000
    put(content, "score.num_bytes", 10_000_000)
    put(content, "score.bits_per_byte", bits)
    return seal(content)


def test_other_bytes_of_the_same_documents_are_no_new_data(refused, tmp_path, store):
    known = write_run(tmp_path / "known", other_size())
    refused("it divides by 10000000 bytes", "submit", known, "--to", store, "--new-data")
    pair = [made(0.75, 0, NEW_DATA), other_size(NEW_DATA)]
    runs = [write_run(tmp_path / str(n), record) for n, record in enumerate(pair)]
    refused("it divides by", "submit", *runs, "--to", store, "--new-data")


@pytest.mark.parametrize("name", ["a\x1b[31m", "x" * 101, " "])
def test_new_data_need_a_plain_name(refused, tmp_path, store, name):
    run = write_run(tmp_path / "run", made(0.5, 0, NEW_DATA | {"data.name": name}))
    refused("its data is called", "submit", run, "--to", store, "--new-data")


def test_verifications_come_along(submitted, refused, run, store):
    submitted()
    (run / "verification-1.json").write_text(verification(RECORD.id).to_json())
    (run / "verification-2.json").write_text(verification("f" * 64).to_json())  # of another
    assert "added 1 verification to" in submitted()
    assert list(read(store).verifications) == [RECORD.id]
    assert "added nothing new" in submitted()
    (run / "verification-3.json").write_text("[" * 60_000)
    refused("not a verification note", "submit", run, "--to", store)


def test_a_store_in_memory_does_as_well(command, run):
    url = f"memory://{uuid.uuid4().hex}"
    assert "added" in command("submit", run, "--to", url, "--with-weights").out
    assert "added nothing new" in command("submit", run, "--to", url, "--with-weights").out
    assert len(index.read(Store(url), None).runs) == 1
    assert command("leaderboard", "--from", url, "--check").code == 0


def test_a_store_that_cannot_be_used_is_one_line(refused, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    refused("s3://bucket/x: Install s3fs", "submit", run, "--to", "s3://bucket/x")
    refused("nowhere://x: ", "submit", run, "--to", "nowhere://x")
    (tmp_path / "file").write_text("")
    refused("cannot", "submit", run, "--to", tmp_path / "file")
    refused("cannot", "submit", run, "--to", tmp_path / "file" / "inner")
    if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may write
        (tmp_path / "store").mkdir(mode=0o500)
        refused("cannot write there", "submit", run, "--to", tmp_path / "store")
