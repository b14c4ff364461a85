"""Published runs in the commands of the leaderboard: they are taken as a folder of a run is."""

import json

import pytest
from helpers.made_records import TOKENIZER, WEIGHTS, made, write_run

from leaderboard import index
from leaderboard.store import Store
from leaderboard.verify.case import find

MODEL = "hf://ada/model"
RECORD = made()
THOSE = {"weights_sha256": RECORD.weights_sha256}  # of the file that every made run has


@pytest.fixture
def publish(hub, tmp_path):
    """`publish(record, "ada/model")` puts a run into a repository and returns its folder."""

    def act(record=RECORD, name="ada/model"):
        run = write_run(tmp_path / name.replace("/", "-"), record)
        hub.made(name, {path.name: path.read_bytes() for path in run.iterdir()})
        return run

    return act


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def submissions(store):
    found = index.read(Store(str(store)), None)
    assert not found.problems
    return {id: note.author for id, note in found.submissions.items()}


def test_the_author_of_a_published_run_is_its_publisher(publish, store, command):
    run = publish()
    done = command("submit", MODEL, "--to", store, "--with-weights", "--name", "wide")
    shown = f"{RECORD.id[:12]}: added record, weights to {store}, as 'wide' by ada\n"
    assert (done.code, done.out) == (0, shown), done
    assert (store / f"{RECORD.id}.json").read_bytes() == (run / "record.json").read_bytes()
    assert {WEIGHTS, TOKENIZER} <= {path.read_bytes() for path in store.rglob("*.*")}
    assert submissions(store) == {RECORD.id: "ada"}


def test_another_author_is_stated_and_one_that_is_entered_stays(publish, store, command):
    publish()
    assert command("submit", MODEL, "--to", store, "--author", "Ada L.").code == 0
    assert submissions(store) == {RECORD.id: "Ada L."}
    done = command("submit", MODEL, "--to", store, "--author", "Bob", "--json")
    assert json.loads(done.out)["author"] == "Ada L."


def test_a_local_run_beside_it_has_no_author(publish, store, command, tmp_path):
    publish()
    other = made(seed=1)
    run = write_run(tmp_path / "own", other)
    assert command("submit", run, MODEL, "--to", store).code == 0
    assert submissions(store) == {RECORD.id: "ada", other.id: None}


def test_it_passes_the_checks_of_a_local_one(publish, store, refused, command):
    publish(made(changes={"host.stolen_share": 2.0, **THOSE}), "ada/forged")
    says = "hf://ada/forged: not accepted: the stolen share of processor time is 2"
    refused(says, "submit", "hf://ada/forged", "--to", store)
    refused("has no such model", "submit", "hf://bob/none", "--to", store)
    refused("not an address of a model", "submit", "hf://model", "--to", store)
    publish()
    done = command("submit", MODEL, "hf://bob/none", "--to", store)
    assert done.code == 1 and "left out: hf://bob/none: " in done.err, done
    assert submissions(store) == {RECORD.id: "ada"}


def test_sides_of_a_comparison_are_published_runs(publish, command, refused):
    run = publish()
    other = publish(made(0.7, 3, THOSE), "bob/model")
    done = command("compare", MODEL, "hf://bob/model", "--json")
    assert done.code == 0, done
    assert done.out == command("compare", run, other, "--json").out
    refused("has no such model", "compare", run, "hf://bob/none")
    refused("hf://user/name of a published one", "compare", run, "xyz")


def test_a_case_is_named_as_it_was_given(publish, store):
    publish()
    case = find(MODEL, Store(str(store)))
    assert case.where == MODEL and case.record == RECORD and case.files == (WEIGHTS, TOKENIZER)


def test_a_side_of_a_duel_is_one(publish, command):
    publish()
    done = command("duel", "--a", MODEL)
    assert done.code == 2 and f"--a {MODEL}: {'0' * 40}: no such commit" in done.err, done
    done = command("duel", "--b", "hf://bob/none")
    assert done.code == 2 and "has no such model" in done.err, done
