"""A record's facts about code are read as its race begins, those about the host around training."""

import dataclasses

import pytest

from speedrun.backends.numpy.backend import NumpyBackend
from speedrun.models import code, loader
from speedrun.records import host
from speedrun.system.git import CodeVersion
from speedrun.training import recipe_digest, trainer
from speedrun.training.callbacks import Silent
from speedrun.training.race import race
from speedrun.training.signals import StopFlag


@pytest.fixture
def raced(counted):
    return lambda **changes: (
        race(dataclasses.replace(counted, **changes), Silent(), StopFlag(())).record
    )


def test_commit_changes_and_digests_are_those_of_the_start(raced, monkeypatch):
    """Tidied up while it trains: the record still says what ran."""
    now = {"code": CodeVersion("a" * 40, True), "digests": code.Digests("b" * 64, "c" * 64)}
    monkeypatch.setattr("speedrun.system.git.code_version", lambda: now["code"])
    monkeypatch.setattr(code, "at_import", lambda architecture: now["digests"])
    train = trainer.train

    def tidy_up(engine, job):
        now.update(code=CodeVersion("d" * 40, False), digests=code.Digests("e" * 64, "f" * 64))
        return train(engine, job)

    monkeypatch.setattr(trainer, "train", tidy_up)
    record = raced()
    assert (record.code.commit, record.code.dirty) == ("a" * 40, True)
    assert (record.source.digest, record.source.architecture) == ("b" * 64, "c" * 64)


def test_a_race_names_its_sources(raced, counted):
    source, ngram = raced().source, loader.architecture("ngram")
    assert source.digest == code.code_digest(ngram) and not source.is_outside
    assert source.recipe == recipe_digest.recipe_digest(ngram, "default", counted.settings)
    assert raced(arch=str(ngram.folder)).source == source


@pytest.mark.parametrize(("rates", "says"), [((100.0, 90.0), None), ((100.0, 40.0), "to 40")])
def test_a_host_that_slows_down_is_in_the_record(raced, monkeypatch, rates, says):
    left = iter(rates)
    monkeypatch.setattr(NumpyBackend, "sustained_gflops", lambda *_: lambda: next(left))
    record = raced()
    assert (record.host.matmul_before, record.host.matmul_after) == rates
    quiet = record.host.model_copy(update={"stolen_share": 0.0, "others_share": 0.0})
    why = host.unfit_because(record.model_copy(update={"host": quiet}))
    assert why is None if says is None else says in why
    assert record.status == "complete" and record.score is not None
