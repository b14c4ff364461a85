"""A record's facts about code are read as its race begins, those about the host around training."""

import dataclasses
import functools
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.fake_sysfs import battery, thermometer

from leaderboard.checks import energy
from speedrun.backends.numpy.backend import NumpyBackend
from speedrun.device import Device
from speedrun.models import code, loader
from speedrun.records import host
from speedrun.system.energy.monitor import Energy, Sensors, find
from speedrun.system.git import CodeVersion
from speedrun.training import monitors, recipe_digest, trainer
from speedrun.training.callbacks import Silent
from speedrun.training.clock import BudgetClock
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


@pytest.fixture
def sysfs(monkeypatch, tmp_path):
    """The sensors of a machine that has those which a test makes, and no others."""
    monkeypatch.setattr(monitors, "find", functools.partial(find, sysfs=tmp_path / "sys"))
    return tmp_path / "sys"


def test_energy_and_heat_of_training_are_in_the_record(raced, sysfs):
    battery(sysfs, power_now=20_000_000)
    thermometer(sysfs, 0, "k10temp", 55_500)
    record = raced()
    spent_s = record.clock.train_s + record.clock.data_wait_s
    found = record.energy
    assert (found.source, found.temperature_max_c, found.throttled_share) == ("battery", 55.5, None)
    assert found.mean_watts == found.peak_watts == pytest.approx(20.0, rel=0.01)
    assert found.joules == pytest.approx(20.0 * spent_s, abs=10.0)
    assert list(energy.problems(record)) == [] and record.resumes == []


def test_a_machine_without_sensors_has_none_in_its_record(raced, sysfs):
    assert set(raced().energy.content().values()) == {None}


def test_ranks_are_summed_on_one_machine_and_not_over_several(monkeypatch, sysfs):
    asked = []
    monkeypatch.setattr(monitors, "find", lambda *of: asked.append(of) or Sensors(None, None))

    def monitor(rank: int, *places: list):
        group: Any = SimpleNamespace(
            rank=rank, gather=lambda own: [list(place) for place in places]
        )
        device = Device(name="numpy", backend="numpy", available=True, detail="", accelerator="A")
        built: Any = SimpleNamespace(device=device)
        context: Any = SimpleNamespace(group=group, clock=BudgetClock(1.0))
        return monitors.of_energy(built, context)

    monitor(0, ["one", "GPU-1"], ["one", "GPU-2"])
    assert asked == [("A", ["GPU-1", "GPU-2"])]
    for unknown in (monitor(0, ["one", "G"], ["two", "G"]), monitor(1, ["one", "G"], ["one", "H"])):
        unknown.start()
        assert unknown.stop() == Energy() and len(asked) == 1
