"""Reruns against the noise of their entry: a one-sided t test, on the same hardware only."""

import pytest
from helpers.made_records import made
from scipy import stats

from leaderboard.verify import rerun
from speedrun.records.summary import summarize


def judged(again, *scores: float, claim=None):
    """A rerun of the first seed, or of `claim`, beside seeds of these scores."""
    seeds = [made(score, seed) for seed, score in enumerate(scores)]
    return rerun.compare(claim or seeds[0], again, [summarize(seed) for seed in seeds])


def test_a_rerun_within_the_noise_agrees():
    found = judged(made(0.705), 0.700, 0.704, 0.702)
    assert found.agrees and found.num_seeds == 3
    assert found.noise == pytest.approx(0.002)
    assert found.difference == pytest.approx(0.005 / 0.7)
    # The next of three draws, by the t distribution's own words.
    expected = stats.t.sf((0.705 - 0.702) / (0.002 * (4 / 3) ** 0.5), 2)
    assert found.p_value == pytest.approx(expected)


def test_only_a_worse_rerun_on_the_same_hardware_refutes():
    worse = judged(made(0.72), 0.700, 0.7004, 0.7002)
    assert not worse.agrees and worse.p_value is not None and worse.p_value < 0.01
    assert judged(made(0.5), 0.700, 0.7004, 0.7002).agrees
    elsewhere = judged(made(0.9, changes={"hardware.class": "cuda-h100"}), 0.700, 0.7004)
    assert elsewhere.agrees and elsewhere.p_value is None
    assert elsewhere.hardware_class == "cuda-h100"


@pytest.mark.parametrize(("again", "agrees"), [(0.75, True), (0.69, True), (0.78, False)])
def test_one_seed_has_no_noise_and_is_refuted_by_nonsense_alone(again, agrees):
    found = judged(made(again), claim=made(0.7))
    assert found.agrees is agrees
    assert (found.noise, found.num_seeds, found.p_value) == (None, 1, None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("budget_s", 60.0),
        ("arch", "lstm"),
        ("device", "cuda"),
        ("config.recipe", {"lr": 1.0}),
        ("data.train_fingerprint", "e" * 64),
        ("status", "interrupted"),
    ],
)
def test_only_ranked_runs_of_the_same_config_are_its_entry(path, value):
    other = summarize(made(0.8, 1, {path: value}))
    assert rerun.compare(made(0.7), made(0.7), [other]).num_seeds == 1


def test_a_config_without_any_noise():
    assert judged(made(0.7), 0.7, 0.7).p_value == 1.0
    assert not judged(made(0.7001), 0.7, 0.7).agrees


@pytest.mark.parametrize(
    ("engine", "mode"),
    [
        ({}, "off"),
        ({"tuning": {"mode": "off"}}, "off"),
        ({"tuning": {"mode": "quick", "from": "cache"}}, "quick"),
        ({"tuning": {"mode": "full"}}, "full"),
        ({"tuning": {"mode": "slow"}}, "off"),
        ({"tuning": {"mode": ["quick"]}}, "off"),
        ({"tuning": "quick"}, "off"),
    ],
)
def test_a_rerun_finds_its_settings_as_the_record_did(engine, mode):
    """Which ones those are depends on the machine; a record may say anything."""
    assert rerun.tune_mode(made(changes={"train.engine": engine})) == mode
