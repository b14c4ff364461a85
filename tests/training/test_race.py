"""Whole races in this process."""

import dataclasses

import pytest
from helpers import folders

from speedrun.evaluation.fairness import UnfairModelError
from speedrun.models import loader
from speedrun.records import schema
from speedrun.training import request as request_
from speedrun.training.prepare import Silent
from speedrun.training.race import race
from speedrun.training.request import RunRequest
from speedrun.training.restore import load_run, run_of
from speedrun.training.run_dir import local_facts
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
        self.shares: list[float] = []

    def phase(self, text):
        self.phases.append(text)

    def tick(self, tick):
        self.shares.append(tick.share)


def test_a_race_leaves_a_run_that_its_record_describes(counted, monkeypatch):
    checks, check = [], request_.check
    monkeypatch.setattr(request_, "check", lambda *args: checks.append(args) or check(*args))
    heard = Heard()
    finished = race(counted, heard, StopFlag(()), started_s=7.0)
    assert len(checks) == 1, "the request was resolved more than once"
    record = schema.load(finished.folder / "record.json")
    assert record == finished.record and record.status == "complete"
    assert [event.kind for event in record.train.events] == ["epochs_done"]
    assert record.argv[:6] == ["--minutes", "0.05", "--arch", "ngram", "--params", "60K"]
    assert record.argv[record.argv.index("--backend") + 1] == record.device
    assert record.clock.startup_s > 7.0 and record.clock.build_s > 0 < record.clock.evaluate_s
    assert record.train.num_steps > 0 and heard.shares == sorted(heard.shares)
    assert heard.phases[0] == "opening the data" and heard.phases[-1] == "telling a story"
    assert {path.name for path in finished.folder.iterdir()} == FILES
    assert local_facts(finished.folder)["data"] == counted.data.path
    assert list(counted.out.iterdir()) == [finished.folder]
    restored = load_run(finished.folder, "auto")
    assert sum(array.size for array in restored.engine.weights().values()) == record.num_params


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
