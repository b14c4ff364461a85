"""`verify` through the command line: honest runs are confirmed, forged ones are not."""

import json
import shutil

import pytest
import safetensors.numpy
from helpers import folders, forged, page_store
from helpers.command_line import command, done_well, refused
from helpers.forged import note_in

from speedrun.backends import registry
from speedrun.data.local.source import LocalFiles
from speedrun.data.source import SourceUnavailable
from speedrun.data.tokenizer import Tokenizer
from speedrun.models import loader
from speedrun.records.schema import load

pytestmark = pytest.mark.slow


def verified(*args: object, code: int = 0) -> str:
    """Output of a verification on one line; with code 1 it does not confirm its record."""
    done = command("verify", *args)
    assert done.code == code, done
    assert f"The record is {'not ' * code}confirmed." in done.out
    return " ".join(done.out.split())


def rejected(*args: object) -> str:
    return verified(*args, code=1)


@pytest.mark.parametrize("arch", ["transformer", "ngram"])
def test_an_honest_run_is_confirmed(raced, stories, arch, tmp_path):
    run = shutil.copytree(raced(arch), tmp_path / "run")
    shown = verified(run, "--data", stories, "--by", "Zoë Q.")
    assert "passed" in shown and "failed" not in shown
    note, record = note_in(run), load(run / "record.json")
    assert record.score is not None
    assert note.agrees and note.by == "Zoë Q." and note.record == record.id
    assert note.rescored is not None and note.leaks is not None and note.rerun is None
    assert note.rescored.found_nats == pytest.approx(record.score.nats, rel=1e-6)
    assert note.rescored.allowed == 1e-4 and len(note.rescored.checks) == 5
    assert note.leaks.num_equal == record.data.num_dropped_duplicates == 3
    assert note.leaks.num_documents > 100
    assert note.leaks.consumed_agrees is note.leaks.tokenizer_agrees is True


def test_a_bound_is_confirmed_within_the_error_of_its_draws(raced, stories, tmp_path):
    run = shutil.copytree(raced("d3pm"), tmp_path / "run")
    verified(run, "--data", stories)
    rescored = note_in(run).rescored
    assert rescored is not None and 1e-4 < rescored.allowed < 0.5
    # A claimed error that makes everything possible is not believed.
    forged.forge(run, {"score.bits_per_byte_mc_se": 1e9}, scale=0.5)
    assert "the nats differ" in rejected(run, "--data", stories)


@pytest.mark.mlx
def test_another_backend_has_its_own_tolerance(run, stories):
    if not registry.device("mlx", loader.architecture("transformer")).available:
        pytest.skip("MLX is not available")
    verified(run, "--data", stories, "--backend", "mlx")
    rescored = note_in(run).rescored
    assert rescored is not None and (rescored.backend, rescored.allowed) == ("mlx", 1e-3)


@pytest.mark.parametrize(("by", "holds"), [(1 + 5e-5, True), (0.999, False), (1.001, False)])
def test_a_scaled_score_is_rejected_beyond_rounding(run, stories, by, holds):
    forged.forge(run, scale=by)
    if holds:
        verified(run, "--data", stories)
        return
    assert "the nats differ" in rejected(run, "--data", stories)
    note = note_in(run)
    assert not note.agrees
    assert note.rescored is not None and note.rescored.difference == pytest.approx(1 / by - 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"score.num_bytes": 10**6}, "num_bytes is"),
        ({"score.likelihood": "bound"}, "likelihood is exact"),
        ({"score.bits_per_byte": 0.1, "score.num_tokens": 5}, "byte, not 0.1|the record says 5"),
        ({"data.num_dropped_duplicates": 0}, "the record says that 0 documents were dropped"),
        ({"score.nats": 1e-300}, "the nats differ"),
    ],
)
def test_forged_parts_are_rejected(run, stories, changes, says):
    forged.forge(run, changes)
    shown = rejected(run, "--data", stories)
    assert all(words in shown for words in says.split("|"))


def test_exchanged_weights_are_rejected(run, stories):
    """Other weights under a record that names them: complete, finite, and worse."""
    path = run / forged.WEIGHTS
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save({n: a * 0.5 for n, a in arrays.items()}))
    forged.forge(run)
    assert "the nats differ" in rejected(run, "--data", stories)


def test_a_model_that_looks_ahead_is_rejected(run, stories, tmp_path):
    folder = folders.write(tmp_path / "transformer", folders.looking_ahead())
    assert "not causal" in rejected(run, "--data", stories, "--arch", folder)


def test_a_tokenizer_that_loses_text_is_rejected(run, stories, monkeypatch):
    encode = Tokenizer.encode
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text: encode(self, text.lower()))
    assert "does not give back" in rejected(run, "--data", stories)


def test_a_verification_is_submitted_with_its_run_or_saved_in_the_store(run, stories, tmp_path):
    done = command("verify", run, "--data", stories, "--json")
    assert done.code == 0 and "The record is confirmed." in done.err
    assert json.loads(done.out) == note_in(run).model_dump(mode="json", by_alias=True)
    record, store = load(run / "record.json"), tmp_path / "store"
    if record.code.dirty is None:
        pytest.skip("no git checkout: such a record is not accepted")
    done_well("submit", run, "--to", store, "--with-weights", "--new-data", "--author", "A")
    assert len(list(store.glob("*.verification.*.json"))) == 1
    verified(record.id[:8], "--from", store, "--data", stories, "--by", "B")
    (entry,) = page_store.opened(store)[0][0].entries
    assert entry.mark == "rescored" and len(list(store.glob("*.verification.*.json"))) == 2
    assert "no record and no entry begins with" in refused("verify", "0" * 64, "--from", store)


def test_other_training_documents_are_not_searched(run, stories, tmp_path):
    other = tmp_path / "tales"
    other.mkdir()
    (other / "validation.jsonl").write_bytes((stories / "validation.jsonl").read_bytes())
    (other / "train.jsonl").write_text(json.dumps({"text": "Another one."}))
    assert "not searched" in verified(run, "--data", other)
    assert note_in(run).leaks is None
    said = refused("verify", run, "--data", other, "--rerun")
    assert "not the training data of the record" in said


def test_a_source_that_fails_leaves_the_scores(run, stories, monkeypatch):
    opened = [LocalFiles.train]  # it is read once when the data are opened

    def failing(self, state=None):
        if opened:
            return opened.pop()(self, state)
        raise SourceUnavailable("the network is gone")

    monkeypatch.setattr(LocalFiles, "train", failing)
    assert "not searched to the end: the network is gone" in verified(run, "--data", stories)
    note = note_in(run)
    assert note.leaks is None and note.rescored is not None


def test_the_counted_model_is_reproduced_by_a_rerun(counted, stories, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (forged.WEIGHTS, forged.TOKENIZER):
        (counted / name).unlink()
    assert "--rerun, which needs none" in refused("verify", counted, "--data", stories)
    assert "only raced again" in verified(counted, "--data", stories, "--rerun")
    note, record = note_in(counted), load(counted / "record.json")
    assert note.rescored is None and note.leaks is None and note.rerun is not None
    assert note.rerun.difference == pytest.approx(0.0, abs=1e-6)
    (folder,) = (tmp_path / "runs").iterdir()
    again = load(folder / "record.json")
    assert again.id == note.rerun.record and again.config == record.config
