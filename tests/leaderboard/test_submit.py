"""From a finished run to a record of a leaderboard: checked, added once, never changed."""

import json
import uuid
from pathlib import Path

import pytest
from helpers.made_records import (
    NUM_BYTES,
    TOKENIZER,
    WEIGHTS,
    made,
    snapshot,
    verification,
    write_run,
)

from leaderboard import index
from leaderboard.store import Store
from leaderboard.verify.case import find
from speedrun.data.hub.tinystories import FINGERPRINT

RECORD = made()
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


def read(store):
    found = index.read(Store(str(store)), None)
    assert not found.problems
    return found


def test_a_run_becomes_a_record_with_a_note(submitted, run, store):
    out = submitted("--name", "more heads", "--author", "Ann")
    assert out == f"{RECORD.id[:12]}: added record to {store}, as 'more heads' by Ann\n"
    assert list(snapshot(store)) == [f"{RECORD.id}.json", f"{RECORD.id}.submission.json"]
    assert (store / f"{RECORD.id}.json").read_bytes() == (run / "record.json").read_bytes()
    assert read(store).submissions[RECORD.id].author == "Ann"


def test_once_more_changes_nothing_and_says_so(submitted, store):
    submitted("--name", "more heads")
    before = snapshot(store)
    assert "added nothing new to" in submitted()
    said = f"added nothing new to {store}, as 'more heads'\n"
    assert submitted("--name", "other", "--author", "Ben").endswith(said)
    assert snapshot(store) == before
    (store / f"{RECORD.id}.json").unlink()  # a submission that broke off is made whole
    assert "as 'more heads'" in submitted("--name", "second")  # what the store says
    (store / f"{RECORD.id}.submission.json").unlink()  # a record that somebody put there by hand
    assert f"added name to {store}, as 'other'" in submitted("--name", "other")
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


WEIGHTS_FILE = f"weights/{RECORD.weights_sha256}.safetensors"
TOKENIZER_FILE = f"tokenizers/{RECORD.tokenizer.fingerprint}.json"


def put(path: Path, kind: str) -> None:
    path.parent.mkdir(parents=True)
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "holes":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    else:
        path.write_bytes(b"x" * (len(WEIGHTS) if "weights" in str(path) else len(TOKENIZER)))


@pytest.mark.parametrize("name", [WEIGHTS_FILE, TOKENIZER_FILE])
@pytest.mark.parametrize("kind", ["text", "holes", "link"])
def test_another_file_under_the_name_of_an_artifact_is_replaced(submitted, store, name, kind):
    put(store / name, kind)
    said = f"{store}/{name}: replaced, it was another file than its name says\n"
    assert submitted("--with-weights").startswith(said)
    assert (store / WEIGHTS_FILE).read_bytes() == WEIGHTS
    assert (store / TOKENIZER_FILE).read_bytes() == TOKENIZER
    assert "replaced" not in submitted("--with-weights")


@pytest.mark.parametrize("name", [WEIGHTS_FILE, TOKENIZER_FILE])
def test_another_file_under_the_name_of_an_artifact_is_told_and_keeps_nobody_from_a_rerun(
    command, submitted, refused, store, name
):
    submitted("--with-weights")
    (store / name).write_bytes(b"other")
    says = f"{name}: another file than its name says; ask its author"
    refused(says, "verify", RECORD.id[:8], "--from", store)
    done = command("leaderboard", "--from", store, "--check")
    assert done.code == 2 and f"{name}: does not match its name" in done.err
    assert find(RECORD.id[:8], Store(str(store))).files is None  # what a rerun needs is there


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tokenizer.json", b"{}", "not the tokenizer that the record names"),
        ("model.safetensors", WEIGHTS[:-1] + b"!", "SHA-256 differs"),
        ("model.safetensors", None, "cannot be read"),
        ("tokenizer.json", None, "cannot be read"),
    ],
    ids=range(4),
)
def test_weights_that_are_not_the_records_are_refused(refused, run, store, file, content, says):
    (run / file).unlink() if content is None else (run / file).write_bytes(content)
    refused(says, "submit", run, "--to", store, "--with-weights")


def test_bad_runs_are_left_out_with_their_reasons_and_the_others_submitted(
    command, refused, run, tmp_path, store
):
    bad = write_run(tmp_path / "bad", made(changes={"score.bits_per_byte": 0.1}))
    strange = write_run(tmp_path / "strange", made(changes=NEW_DATA))
    none = tmp_path / "none"
    says = ("its parts give", "is not known there", "no record.json there")
    refused("its parts give", "submit", bad, strange, none, "--to", store)
    done = command("submit", bad, run, strange, none, "--to", store)
    assert done.code == 1 and [one.id for one in read(store).runs] == [made().id]
    left_out = [line for line in done.err.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 3 and "added record" in done.out
    for line, folder, reason in zip(left_out, (bad, strange, none), says, strict=True):
        assert str(folder) in line and reason in line


def test_the_data_of_the_hub_is_known_by_its_name_and_revision(submitted, refused, tmp_path, store):
    """The first run of so many held-out documents opens their track; other documents do not."""
    pinned = {"data.train_fingerprint": FINGERPRINT, "data.source": "hub", "data.name": "other"}
    first, second = (write_run(tmp_path / str(n), made(0.5, n, pinned)) for n in range(2))
    submitted(runs=[first])
    submitted(runs=[second])
    assert [run.data_name for run in read(store).runs] == ["tinystories"] * 2
    other = pinned | {"data.heldout_fingerprint": "e" * 64}
    easy = write_run(tmp_path / "easy", made(0.1, 2, other))
    refused("held-out documents are not those known", "submit", easy, "--to", store, "--new-data")
    more = other | {"score.num_docs": 3, "data.num_round_trips": 3}
    submitted(runs=[write_run(tmp_path / "more", made(0.5, 3, more))])


def test_new_data_open_a_track_only_if_asked(submitted, refused, tmp_path, store):
    first, second = (write_run(tmp_path / str(n), made(0.5, n, NEW_DATA)) for n in range(2))
    refused("--new-data opens a track for it", "submit", first, "--to", store)
    submitted("--new-data", runs=[first])
    submitted(runs=[second])
    assert len(list(store.glob("*.data.json"))) == 1
    assert [run.data_name for run in read(store).runs] == ["fables", "fables"]


def test_other_bytes_of_the_same_documents_are_no_new_data(command, refused, tmp_path, store):
    """A score that divides the same nats by more bytes."""
    more = {"score.num_bytes": 2 * NUM_BYTES, "score.bits_per_byte": 0.375}
    records = (made(changes=more), made(changes=NEW_DATA), made(changes=NEW_DATA | more))
    known, *pair = (write_run(tmp_path / str(n), record) for n, record in enumerate(records))
    says = f"it divides by {2 * NUM_BYTES} bytes"
    refused(says, "submit", known, "--to", store, "--new-data")
    done = command("submit", *pair, "--to", store, "--new-data")
    assert done.code == 1 and "it divides by" in done.err and len(read(store).runs) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"data.heldout_fingerprint": "e" * 64},
        {"data.train_fingerprint": "ff16" + "e" * 60},
        {"data.train_fingerprint": "ff16" + "e" * 60, "data.name": "TINYSTORIES"},
    ],
)
def test_new_data_need_a_title_of_their_own(submitted, refused, tmp_path, store, changes):
    first = write_run(tmp_path / "first", made(0.5, 0, changes))
    says = "has this title: give the folder another name"
    refused(says, "submit", first, "--to", store, "--new-data")
    renamed = write_run(tmp_path / "own", made(0.5, 3, changes | {"data.name": "other stories"}))
    submitted("--new-data", runs=[renamed])
    assert len(read(store).runs) == 1


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
