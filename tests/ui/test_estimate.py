"""Expected time of a command, and what is left of it."""

import dataclasses
import time

import pytest
from helpers.made_records import made, write_run

from speedrun.config import Data
from speedrun.training.request import RunRequest
from speedrun.ui import estimate
from speedrun.ui.estimate import Estimate, Progress

SECONDS = {"startup": 10.0, "compile": 20.0, "warmup": 8.0, "evaluate": 30.0, "sample": 2.0}


@pytest.fixture
def asked(tmp_path) -> RunRequest:
    return RunRequest(budget_s=300.0, data=Data(), out=tmp_path / "runs")


def raced(request: RunRequest, seed: int = 0, **clock: float) -> None:
    changes = {f"clock.{name}": value for name, value in clock.items()}
    record = made(seed=seed, changes={"argv": request.argv(), **changes})
    write_run(request.out / f"run-{seed}", record)


def test_without_a_race_before_it_is_what_is_usual_on_the_device(asked):
    def of(**change) -> Estimate:
        return estimate.of_race(dataclasses.replace(asked, **change))

    cpu, gpu = of(backend="cpu"), of(backend="cuda")
    assert "usual on a processor" in str(cpu) and "usual on a GPU" in str(gpu)
    assert gpu.seconds["compile"] > cpu.seconds["compile"]
    assert of(backend="cpu", tune="full").seconds["warmup"] > cpu.seconds["warmup"] + 200
    fewer = of(backend="cpu", data=Data(eval_docs=200)).seconds["evaluate"]
    assert fewer == pytest.approx(cpu.seconds["evaluate"] / 10)


def test_the_last_race_of_the_kind_is_taken_whatever_its_seed_and_budget(asked):
    raced(dataclasses.replace(asked, budget_s=60.0, seed=7), compile_s=77.0)
    found = estimate.of_race(asked)
    assert found.seconds["compile"] == 77.0 and "as the last such race here" in str(found)
    total = 300 + sum(found.seconds.values())
    assert f"about {int(total) // 60}:{int(total) % 60:02d}" in str(found)
    assert "5:00 of training" in str(found)


def test_a_race_of_other_settings_is_scaled_to_those_that_are_asked_for(asked):
    before = dataclasses.replace(asked, tune="off", settings=("recipe.lr=1",))
    raced(before, evaluate_s=40.0, warmup_s=1.0)
    found = estimate.of_race(dataclasses.replace(asked, tune="quick", data=Data(eval_docs=500)))
    assert found.seconds["evaluate"] == pytest.approx(10.0)
    assert found.seconds["warmup"] == pytest.approx(9.0), "quick tuning comes on top"
    assert "last race of transformer" in str(found)


def test_several_races_are_counted(asked):
    one, three = estimate.of_race(asked), estimate.of_race(asked, 3)
    assert "for 3 races, each" in str(three) and "race" not in str(one).split("(")[0]


def test_of_a_race_that_goes_on_the_rest_of_the_budget_is_left(asked):
    whole, rest = estimate.of_race(asked), estimate.of_race(asked, spent_s=180.0)
    assert rest.budget_s == 120.0 and rest.seconds == whole.seconds
    assert "2:00 of training" in str(rest)
    assert Progress(rest).left_s() == pytest.approx(Progress(whole).left_s() - 180.0, abs=0.1)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def expected(num_races: int = 1) -> Estimate:
    return Estimate(seconds=SECONDS, budget_s=100.0, origin="", num_races=num_races)


def test_time_left_falls_through_all_accounts_of_a_command(clock):
    progress = Progress(expected(), spent_s=4.0)
    assert progress.left_s() == pytest.approx(166.0)
    assert progress.share(progress.left_s()) == pytest.approx(4 / 170)
    clock(6.0)
    progress.account("compile")
    clock(15.0)
    assert progress.left_s() == pytest.approx(145.0) and progress.expected_s() == 20.0
    clock(15.0)  # late by ten seconds
    assert 140.0 < progress.left_s() < 150.0, "it does not stand still at nothing left"
    progress.training()
    assert progress.left_s() == pytest.approx(132.0), "what tuning did not need is not to come"
    clock(40.0)
    assert progress.left_s() == pytest.approx(92.0)
    progress.account("evaluate")
    clock(30.0)
    assert progress.left_s(share=0.25) == pytest.approx(92.0), "90 s of scoring and 2 of sampling"
    progress.account("sample")
    clock(1.0)
    assert progress.left_s() == pytest.approx(1.0)
    assert progress.share(progress.left_s()) > 0.98


def test_later_seeds_are_left_too(clock):
    progress = Progress(expected(3))
    assert progress.left_s() == pytest.approx(3 * 170.0)
    progress.training()
    clock(100.0)
    progress.account("sample")
    clock(2.0)
    progress.next_race()
    assert progress.left_s() == pytest.approx(2 * 170.0)
