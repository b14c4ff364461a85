"""From a finished run to a record of a leaderboard: checked, added once, never changed."""

import json
import os
import sys
import uuid

import pytest
from helpers.made_records import CONTENT, WEIGHTS, made, put, snapshot, write_run

from leaderboard import index
from leaderboard.attestations import Verification
from leaderboard.store import Store
from speedrun.records.schema import seal


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", seal(CONTENT))


def names(folder) -> list[str]:
    return sorted(snapshot(folder))


def test_a_run_becomes_a_record_with_a_note(command, run, tmp_path):
    store = tmp_path / "new" / "store"
    done = command("submit", run, "--to", store, "--name", "more heads", "--author", "Ann")
    record = seal(CONTENT)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"added {record.id[:12]} to {store} as 'more heads' by Ann\n"
    assert names(store) == [f"{record.id}.json", f"{record.id}.submission.json"]
    assert (store / f"{record.id}.json").read_bytes() == (run / "record.json").read_bytes()
    found = index.read(Store(str(store)), None)
    assert found.submissions[record.id].author == "Ann" and not found.problems


def test_once_more_changes_nothing_and_says_so(command, run, tmp_path):
    store = tmp_path / "store"
    command("submit", run, "--to", store, "--name", "more heads")
    before = snapshot(store)
    for extra in ((), ("--name", "more heads")):
        done = command("submit", run, "--to", store, *extra)
        assert done.code == 0 and "was there already; nothing changed" in done.out
    (note,) = store.glob("*.submission.json")
    note.unlink()  # a record that somebody put there by hand
    done = command("submit", run, "--to", store, "--name", "more heads")
    assert "was there already, entered now as 'more heads'" in done.out
    assert "nothing" not in done.out
    before = snapshot(store)
    done = command("submit", run, "--to", store, "--name", "other", "--author", "Ben")
    assert done.code == 0
    assert "was there already, entered as 'more heads': that stays; nothing changed" in done.out
    assert snapshot(store) == before


def test_json_says_what_became_of_each(command, run, tmp_path):
    other = write_run(tmp_path / "other", made(0.7, 1))
    done = command("submit", run, other, run, "--to", tmp_path / "store", "--json", "--name", "x")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["added"] for one in found] == [True, True, False]
    assert [one["id"] for one in found[:2]] == [seal(CONTENT).id, made(0.7, 1).id]
    assert all(one["name"] == "x" for one in found) and "added" in done.err


def test_weights_are_stored_beside_the_record(command, run, tmp_path):
    store = tmp_path / "store"
    command("submit", run, "--to", store)
    done = command("submit", run, "--to", store, "--with-weights")
    assert "was there already; its weights added" in done.out
    record = seal(CONTENT)
    assert (store / f"weights/{record.weights_sha256}.safetensors").read_bytes() == WEIGHTS
    assert (store / f"tokenizers/{record.tokenizer.fingerprint}.json").is_file()
    before = snapshot(store)
    assert "nothing changed" in command("submit", run, "--to", store, "--with-weights").out
    assert snapshot(store) == before
    assert not index.read(Store(str(store)), None).problems


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(WEIGHTS + b"!"), "SHA-256 differs"),
        (lambda f: (f / "model.safetensors").unlink(), "cannot be read"),
        (lambda f: (f / "tokenizer.json").unlink(), "cannot be read"),
        (lambda f: (f / "tokenizer.json").write_bytes(b" " * (17 << 20)), str(16 << 20)),
    ],
)
def test_weights_that_are_not_the_records_are_refused(refused, run, tmp_path, spoil, says):
    spoil(run)
    refused(says, "submit", run, "--to", tmp_path / "store", "--with-weights")


def test_weights_larger_than_the_parameters_are_refused(refused, tmp_path):
    small = seal({**CONTENT, "num_params": 10, "num_params_non_embedding": 5})
    run = write_run(tmp_path / "run", small)
    (run / "model.safetensors").write_bytes(b"x" * (2 << 20))
    refused("larger than it may be", "submit", run, "--to", tmp_path / "s", "--with-weights")


def test_one_bad_run_among_many_adds_nothing(refused, run, tmp_path):
    bad = write_run(tmp_path / "bad", made(changes={"score.bits_per_byte": 0.1}))
    more = write_run(tmp_path / "more", made(0.7, 1))
    refused("its parts give", "submit", run, bad, more, "--to", tmp_path / "store")
    strange = write_run(tmp_path / "strange", made(changes={"data.train_fingerprint": "e" * 64}))
    refused("is not known there", "submit", run, strange, "--to", tmp_path / "store")
    refused("no record.json", "submit", run, tmp_path / "none", "--to", tmp_path / "store")


def test_new_data_open_a_track_only_if_asked(command, refused, tmp_path):
    changes = {"data.train_fingerprint": "e" * 64, "data.name": "fables"}
    run = write_run(tmp_path / "run", made(0.5, 0, changes))
    store = tmp_path / "store"
    refused("--new-data opens a track for it", "submit", run, "--to", store)
    assert command("submit", run, "--to", store, "--new-data").code == 0
    (note,) = [name for name in names(store) if name.endswith(".data.json")]
    second = write_run(tmp_path / "second", made(0.51, 1, changes))
    assert command("submit", second, "--to", store).code == 0
    assert [name for name in names(store) if name.endswith(".data.json")] == [note]
    found = index.read(Store(str(store)), None)
    assert {one.data_name for one in found.runs} == {"fables"} and len(found.runs) == 2


def other_size(changes=None):
    """A score that divides the same nats by more bytes."""
    content = made(0.75, 0, changes).content()
    bits = content["score"]["bits_per_byte"] * content["score"]["num_bytes"] / 10_000_000
    put(content, "score.num_bytes", 10_000_000)
    put(content, "score.bits_per_byte", bits)
    return seal(content)


def test_other_bytes_of_known_documents_are_no_new_data(refused, tmp_path):
    run = write_run(tmp_path / "run", other_size())
    refused("it divides by 10000000 bytes", "submit", run, "--to", tmp_path / "s", "--new-data")


def test_two_runs_that_contradict_each_other_open_nothing(refused, tmp_path):
    changes = {"data.train_fingerprint": "e" * 64}
    one = write_run(tmp_path / "one", made(0.75, 0, changes))
    two = write_run(tmp_path / "two", other_size(changes))
    refused("it divides by", "submit", one, two, "--to", tmp_path / "store", "--new-data")


@pytest.mark.parametrize("name", ["a\x1b[31m", "x" * 101, " "])
def test_new_data_need_a_plain_name(refused, tmp_path, name):
    changes = {"data.train_fingerprint": "e" * 64, "data.name": name}
    run = write_run(tmp_path / "run", made(0.5, 0, changes))
    refused("its data is called", "submit", run, "--to", tmp_path / "store", "--new-data")


def verification(record: str) -> Verification:
    return Verification(
        record=record,
        by="Ann",
        verified="2026-01-03T00:00:00+00:00",
        hardware_class="cpu",
        versions={},
        code="x",
        rescored=None,
        leaks=None,
        rerun=None,
    )


def test_verifications_come_along(command, refused, run, tmp_path):
    store, record = tmp_path / "store", seal(CONTENT)
    command("submit", run, "--to", store)
    (run / "verification-1.json").write_text(verification(record.id).to_json())
    (run / "verification-2.json").write_text(verification("f" * 64).to_json())  # of another
    done = command("submit", run, "--to", store)
    assert "was there already; 1 verification(s) added" in done.out
    assert list(index.read(Store(str(store)), None).verifications) == [record.id]
    assert "nothing changed" in command("submit", run, "--to", store).out
    (run / "verification-3.json").write_text("[" * 60_000)
    refused("not a verification note", "submit", run, "--to", store)


def test_a_store_in_memory_does_as_well(command, run):
    url = f"memory://{uuid.uuid4().hex}"
    assert "added" in command("submit", run, "--to", url, "--with-weights").out
    assert "nothing changed" in command("submit", run, "--to", url, "--with-weights").out
    assert len(index.read(Store(url), None).runs) == 1
    assert command("leaderboard", "--from", url, "--check").code == 0


def test_a_store_whose_package_is_missing_is_one_line(refused, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    refused("s3://bucket/x: Install s3fs", "submit", run, "--to", "s3://bucket/x")
    refused("nowhere://x: ", "submit", run, "--to", "nowhere://x")


def test_a_store_that_cannot_be_written_is_one_line(refused, run, tmp_path):
    (tmp_path / "file").write_text("")
    refused("cannot", "submit", run, "--to", tmp_path / "file")
    refused("cannot", "submit", run, "--to", tmp_path / "file" / "inner")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_store_without_permission_is_one_line(refused, run, tmp_path):
    (tmp_path / "store").mkdir(mode=0o500)
    refused("cannot write there", "submit", run, "--to", tmp_path / "store")


def test_the_file_of_a_record_may_be_given(command, run, tmp_path):
    done = command("submit", run / "record.json", "--to", tmp_path / "store")
    assert done.code == 0 and "added" in done.out


def test_an_interrupted_submission_is_made_whole(command, run, tmp_path):
    store, record = tmp_path / "store", seal(CONTENT)
    command("submit", run, "--to", store, "--name", "first")
    (store / f"{record.id}.json").unlink()
    done = command("submit", run, "--to", store, "--name", "second")
    assert "added" in done.out and "as 'first'" in done.out  # what the store says
    assert not index.read(Store(str(store)), None).problems
