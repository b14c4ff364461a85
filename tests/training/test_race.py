"""Whole races in this process."""

import dataclasses

import numpy as np
import pytest
from helpers import folders
from helpers.command_line import command
from helpers.stateful import DISHONEST, HONEST

from speedrun.backends.numpy.engine import NumpyEngine
from speedrun.data.loader import TokenStream as stream
from speedrun.evaluation.fairness import UnfairModelError
from speedrun.models import loader
from speedrun.records import schema
from speedrun.records.summary import config_key
from speedrun.training import divergence, overfitting, prepare
from speedrun.training import race as race_
from speedrun.training import request as request_
from speedrun.training.callbacks import Silent
from speedrun.training.race import NotScored, race
from speedrun.training.request import RunRequest
from speedrun.training.runs.restore import load_run, run_of
from speedrun.training.runs.run_dir import local_facts
from speedrun.training.signals import StopFlag

FILES = {
    "local.json",
    "log.jsonl",
    "model.safetensors",
    "record.json",
    "samples.txt",
    "tokenizer.json",
}


class Heard(Silent):
    """Callbacks that keep what they are given."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.notices: list[str] = []
        self.shares: list[float] = []

    def notice(self, text):
        self.notices.append(text)

    def phase(self, text):
        self.phases.append(text)

    def tick(self, tick):
        self.shares.append(tick.share)


def test_a_race_leaves_a_run_that_its_record_describes(counted, monkeypatch):
    checks, check = [], request_.check
    monkeypatch.setattr(request_, "check", lambda *args: checks.append(args) or check(*args))
    heard = Heard()
    finished = race(counted, heard, StopFlag(()), started_s=7.0)
    # Before a framework is imported, and of the code that races, which is executed anew.
    packages = [architecture.package for architecture, _ in checks]
    assert len(packages) == 2 and packages[0] is not packages[1], "resolved more than once"
    record = schema.load(finished.folder / "record.json")
    assert record == finished.record and record.status == "complete"
    assert [event.kind for event in record.train.events] == ["epochs_done"]
    assert record.argv[:6] == ["--minutes", "0.05", "--arch", "ngram", "--params", "60K"]
    assert record.argv[record.argv.index("--backend") + 1] == record.device
    assert record.clock.startup_s > 7.0 and record.clock.build_s > 0 < record.clock.evaluate_s
    assert record.train.num_steps > 0 and heard.shares == sorted(heard.shares)
    assert "opening the data" in heard.phases and heard.phases[-1] == "telling a story"
    assert {path.name for path in finished.folder.iterdir()} == FILES
    assert local_facts(finished.folder)["data"] == counted.data.path
    assert list(counted.out.iterdir()) == [finished.folder]
    restored = load_run(finished.folder, "auto")
    assert sum(array.size for array in restored.engine.weights().values()) == record.num_params


def test_counted_documents_are_counted_once_however_large_the_batch(counted, tmp_path):
    records = []
    for batch_rows in (4, 4096):
        settings = (*counted.settings, f"recipe.batch_rows={batch_rows}")
        out = tmp_path / str(batch_rows)
        request = dataclasses.replace(counted, settings=settings, out=out, budget_s=6.0)
        records.append(race(request, Silent(), StopFlag(())).record)
    one, other = records
    assert one.train.epochs == other.train.epochs == 1.0
    assert one.train.num_tokens == other.train.num_tokens
    assert one.score == other.score and one.status == "complete"


@pytest.mark.slow
def test_the_best_weights_are_scored_and_part_the_entry(counted, monkeypatch):
    """The documents of a small text are read many times within its budget."""
    settings = (*counted.settings, "recipe.compile=false", "recipe.batch_rows=8")
    network = {"arch": "transformer", "params": "20K", "backend": "cpu", "settings": settings}
    request = dataclasses.replace(counted, keep="best", budget_s=6.0, **network)
    monkeypatch.setattr(overfitting, "MANY_EPOCHS", 0.0)
    heard, streams = Heard(), []
    monkeypatch.setattr(race_, "TokenStream", lambda *a, **k: streams.append(a) or stream(*a, **k))
    finished = race(request, heard, StopFlag(()))
    engine, record = finished.record.train.engine, finished.record
    assert record.status == "complete" and record.config["keep"] == "best"
    assert record.argv[record.argv.index("--keep") + 1] == "best"
    assert engine["keep"] == "best" and 0 < engine["kept_step"] <= record.train.num_steps
    best = min(nats for _, nats in engine["validation_curve"])
    assert engine["kept_nats"] == best and engine["validation_s"] < 0.05 * 6.0
    left_out = set(streams[0][0].left_out.documents)
    assert left_out and not left_out & set(streams[0][1].documents), "none of it is held out"
    run = run_of(loader.architecture("transformer"), record, request.data.path, "there")
    assert run.keep == "best" and run.as_dict() == record.config
    config = {key: value for key, value in record.config.items() if key != "keep"}
    last = record.model_copy(update={"config": config})
    assert config_key(record) != config_key(last) != ""
    assert run_of(loader.architecture("transformer"), last, None, "there").keep == "last"
    if record.train.epochs is not None:
        assert "overfitting" in [event.kind for event in record.train.events]
        assert any("the training text was read" in one for one in heard.notices)
        assert any("will read the training text about" in one for one in heard.notices)


def fails_after_training(monkeypatch, finding):
    """Make the fairness checks fail, but not those before the clock."""
    check, calls = prepare.check_fairness, []

    def checked(*args):
        calls.append(args)
        if len(calls) > 1:
            raise UnfairModelError(finding)
        check(*args)

    monkeypatch.setattr(prepare, "check_fairness", checked)


def test_a_check_that_a_blow_up_fails_ends_as_diverged(counted, monkeypatch):
    fails_after_training(monkeypatch, "not normalised: 0.002")
    monkeypatch.setattr(divergence, "of_failed_check", lambda *args: "the loss is large")
    heard = Heard()
    record = race(counted, heard, StopFlag(())).record
    assert (record.status, record.score, record.sample) == ("diverged", None, None)
    assert record.train.events[-1].kind == "diverged"
    assert record.train.events[-1].what.startswith("the loss is large (step ")
    assert heard.notices[-1] == f"training diverged: {record.train.events[-1].what}."


def test_a_score_that_is_no_number_ends_as_diverged(counted, monkeypatch):
    def infinite(self, rows, *others):
        return np.full((len(rows), rows.shape[1] - 1), np.inf)

    monkeypatch.setattr(prepare, "check_fairness", lambda *args: None)
    monkeypatch.setattr(NumpyEngine, "nll", infinite)
    record = race(counted, Silent(), StopFlag(())).record
    assert (record.status, record.score) == ("diverged", None)
    assert "held-out scores are not finite" in record.train.events[-1].what


def test_weights_that_come_trained_are_refused_before_the_budget_is_spent(counted, monkeypatch):
    monkeypatch.setattr(NumpyEngine, "train_loss", lambda self: 3.0)
    with pytest.raises(UnfairModelError, match=r"initial weights are trained, .* first loss is 3"):
        race(counted, Silent(), StopFlag(()))
    assert not list(counted.out.glob("[!.]*"))


@pytest.mark.slow
def test_a_record_is_run_again_with_its_own_settings(counted, tmp_path):
    first = race(counted, Silent(), StopFlag(()))
    path = counted.data.path
    run = run_of(loader.architecture("ngram"), first.record, path, "there")
    again = RunRequest(arch="ngram", budget_s=3.0, data=run.data, again=run, out=tmp_path / "again")
    second = race(again, Silent(), StopFlag(()))
    assert second.record.config == first.record.config and second.record.argv == []
    assert second.record.score == first.record.score
    fewer = dataclasses.replace(run.data, vocab=280)
    other = dataclasses.replace(again, data=fewer, out=tmp_path / "other")
    with pytest.raises(ValueError, match="has 280 tokens, the model of the record 300"):
        race(other, Silent(), StopFlag(()))
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.slow
def test_unfair_plugin_is_refused_before_the_clock_starts(counted, tmp_path, monkeypatch):
    """A model that reads the token it predicts never gets to train."""
    folder = folders.write(tmp_path / "leaky", folders.looking_ahead())
    monkeypatch.chdir(tmp_path)
    settings = ("recipe.compile=false", *counted.settings)
    request = dataclasses.replace(counted, arch=str(folder), settings=settings)
    with pytest.raises(UnfairModelError, match="not causal"):
        race(request, Silent(), StopFlag(()))
    assert not list(counted.out.iterdir())


@pytest.fixture
def outside(counted, tmp_path):
    """`outside(parts)` is the request of a race of an architecture made of these parts."""

    def request(parts):
        folder = parts.write(tmp_path / "mine")
        return dataclasses.replace(
            counted, arch=str(folder), settings=("recipe.compile=false", "model.context=32")
        )

    return request


@pytest.mark.slow
def test_a_race_of_what_is_not_saved_is_not_scored(outside):
    request = outside(DISHONEST["a number"])
    with pytest.raises(NotScored, match=r"not the model that is saved.* mend the architecture"):
        race(request, Silent(), StopFlag(()))
    (folder,) = request.out.glob("[!.]*")
    assert schema.load(folder / "record.json").score is None


@pytest.mark.slow
def test_running_statistics_that_initial_gives_are_scored_and_verified(outside):
    request = outside(HONEST["running statistics that are saved"])
    finished = race(request, Silent(), StopFlag(()))
    assert finished.record.score is not None
    said = command("verify", finished.folder, "--arch", request.arch, "--data", request.data.path)
    assert said.code == 0 and "The record is confirmed." in said.out
