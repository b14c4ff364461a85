"""`verify` through the command line: honest runs hold, and nothing else happens."""

import json

import pytest
from helpers import forged
from helpers.command_line import command, refused
from helpers.forged import note_in

from leaderboard import index
from leaderboard.rank import boards
from leaderboard.store import Store
from speedrun.backends import registry
from speedrun.data.local import LocalFiles
from speedrun.data.source import SourceUnavailable
from speedrun.models import loader
from speedrun.records.schema import load


@pytest.mark.parametrize("arch", ["transformer", "ngram"])
def test_an_honest_run_holds(raced, stories, arch, tmp_path):
    run = forged.copied(raced[arch], tmp_path / "run")
    code, shown, errors = command("verify", run, "--data", stories, "--by", "Zoë Q.")
    assert code == 0, shown + errors
    assert "The record holds." in shown and "passed" in shown and "failed" not in shown
    note = note_in(run)
    record = load(run / "record.json")
    assert record.score is not None
    assert note.agrees and note.by == "Zoë Q." and note.record == record.id
    assert note.rescored is not None and note.leaks is not None and note.rerun is None
    assert note.rescored.found_nats == pytest.approx(record.score.nats, rel=1e-6)
    assert note.rescored.allowed == 1e-4 and len(note.rescored.checks) == 4
    assert note.leaks.num_equal == record.data.num_dropped_duplicates == 3
    assert note.leaks.num_documents > 100


def test_a_bound_holds_within_the_error_of_its_draws(raced, stories, tmp_path):
    run = forged.copied(raced["d3pm"], tmp_path / "run")
    code, shown, errors = command("verify", run, "--data", stories)
    assert code == 0, shown + errors
    note = note_in(run)
    assert note.rescored is not None and 1e-4 < note.rescored.allowed < 0.2
    forged.resealed(run, forged.scaled_score(run, 0.5))
    assert command("verify", run, "--data", stories)[0] == 1
    # An error that makes everything possible is not believed.
    forged.resealed(run, {"score.bits_per_byte_mc_se": 1e9})
    assert command("verify", run, "--data", stories)[0] == 1


def test_another_backend_has_an_allowance_of_its_own(run, stories):
    if not registry.device("mlx", loader.architecture("transformer")).available:
        pytest.skip("mlx is not here")
    code, shown, errors = command("verify", run, "--data", stories, "--backend", "mlx")
    assert code == 0, shown + errors
    note = note_in(run)
    assert note.rescored is not None
    assert (note.rescored.backend, note.rescored.allowed) == ("mlx", 1e-3)


def test_json_is_the_note_alone(run, stories):
    code, shown, errors = command("verify", run, "--data", stories, "--json")
    assert code == 0, errors
    assert json.loads(shown) == note_in(run).model_dump(mode="json", by_alias=True)
    assert "The record holds." in errors


def test_a_record_in_a_store_is_verified_by_its_id(run, stories, tmp_path):
    store = tmp_path / "store"
    record = load(run / "record.json")
    if record.code.dirty is None:
        pytest.skip("no git checkout: such a record is not taken")
    code, _, errors = command(
        "submit", run, "--to", store, "--with-weights", "--new-data", "--author", "A"
    )
    assert code == 0, errors
    code, shown, errors = command(
        "verify", record.id[:8], "--from", store, "--data", stories, "--by", "B"
    )
    assert code == 0, shown + errors
    found = index.read(Store(str(store)), None)
    assert not found.problems
    (note,) = found.verifications[record.id]
    assert note.by == "B" and note.agrees
    (board,) = boards(found.runs, found.submissions, found.verifications)
    assert board.entries[0].mark == "rescored"
    assert "no record begins with" in refused("verify", "0" * 64, "--from", store)


def test_a_note_beside_a_run_is_submitted_with_it(run, stories, tmp_path):
    if load(run / "record.json").code.dirty is None:
        pytest.skip("no git checkout: such a record is not taken")
    assert command("verify", run, "--data", stories)[0] == 0
    code, _, errors = command("submit", run, "--to", tmp_path / "store", "--new-data")
    assert code == 0, errors
    assert len(list((tmp_path / "store").glob("*.verification.*.json"))) == 1


def test_other_training_documents_are_not_searched(run, stories, tmp_path):
    other = tmp_path / "tales"
    other.mkdir()
    (other / "validation.jsonl").write_bytes((stories / "validation.jsonl").read_bytes())
    (other / "train.jsonl").write_text(json.dumps({"text": "Another one."}))
    code, shown, errors = command("verify", run, "--data", other)
    assert code == 0, errors
    assert "not searched" in " ".join(shown.split())
    assert note_in(run).leaks is None
    assert "not the data that the record was raced on" in refused(
        "verify", run, "--data", other, "--rerun"
    )


def test_a_source_that_breaks_off_leaves_the_scores(run, stories, monkeypatch):
    def broken(self, state=None):
        raise SourceUnavailable("the network is gone")

    monkeypatch.setattr(LocalFiles, "train", broken)
    code, shown, errors = command("verify", run, "--data", stories)
    assert code == 0, errors
    assert "not searched to the end: the network is gone" in " ".join(shown.split())
    note = note_in(run)
    assert note.leaks is None and note.rescored is not None


def test_the_counted_model_raced_again_is_the_same(raced, stories, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = forged.copied(raced["ngram"], tmp_path / "run")
    for name in (forged.WEIGHTS, forged.TOKENIZER):
        (run / name).unlink()
    assert "--rerun, which needs none" in refused("verify", run, "--data", stories)
    code, shown, errors = command("verify", run, "--data", stories, "--rerun")
    assert code == 0, shown + errors
    note, record = note_in(run), load(run / "record.json")
    assert note.rescored is None and note.leaks is None and note.rerun is not None
    assert note.rerun.difference == pytest.approx(0.0, abs=1e-6)
    (folder,) = (tmp_path / "runs").iterdir()
    again = load(folder / "record.json")
    assert again.id == note.rerun.record and again.config == record.config
    assert "only raced again" in " ".join(shown.split())


def test_a_difference_of_rounding_is_none(run, stories):
    forged.resealed(run, forged.scaled_score(run, 1 + 5e-5))
    assert command("verify", run, "--data", stories)[0] == 0
