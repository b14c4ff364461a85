"""Reruns against their entry: a pooled one-sided t test, on the same hardware only."""

import numpy as np
import pytest
from helpers.made_records import made, verification
from scipy import stats

from leaderboard.checks import reruns
from leaderboard.index import Index
from leaderboard.verify import rerun
from speedrun.records.summary import summarize


def judged(again, *scores: float, earlier=()):
    """A rerun of the first seed beside seeds of these scores and `earlier` reruns of them."""
    seeds = [made(score, seed) for seed, score in enumerate(scores)]
    notes = [
        verification(seeds[0].id, rerun={"record": f"{place:064x}", "found_bits_per_byte": found})
        for place, found in enumerate(earlier)
    ]
    stored = Index([summarize(seed) for seed in seeds], verifications={seeds[0].id: notes})
    return rerun.compare(seeds[0], again, stored)


def test_a_rerun_within_the_noise_agrees():
    found = judged(made(0.705), 0.700, 0.704, 0.702)
    assert found.agrees and found.num_seeds == 3
    assert found.difference == pytest.approx(0.005 / 0.7)
    assert found.p_value is not None and 0.1 < found.p_value < 0.5


def test_without_a_prior_the_p_value_is_that_of_the_pooled_t_test(monkeypatch):
    monkeypatch.setattr(reruns, "_PRIOR_FREEDOM", 0)
    claims, found = [0.700, 0.704, 0.702], [0.705, 0.709]
    logs = (np.log(claims), np.log(found))
    _, expected = stats.ttest_ind(*logs, alternative="less")
    assert reruns.judge(claims, found).p_value == pytest.approx(expected)


def test_only_a_worse_rerun_on_the_same_hardware_refutes():
    worse = judged(made(0.75), 0.700, 0.7004, 0.7002)
    assert not worse.agrees and worse.p_value is not None and worse.p_value < 0.01
    assert judged(made(0.5), 0.700, 0.7004, 0.7002).agrees
    changes = {"hardware.class": "cuda-h100"}
    elsewhere = judged(made(0.9, changes=changes), 0.700, 0.7004)
    assert elsewhere.agrees and elsewhere.p_value is None
    assert elsewhere.hardware_class == "cuda-h100"


def test_several_reruns_refute_what_a_single_one_cannot():
    """A lucky or made-up claim, 3 % better than its config is, with a spread to hide behind."""
    claims = (0.690, 0.700, 0.710)
    assert judged(made(0.721), *claims).agrees
    several = judged(made(0.721), *claims, earlier=(0.719, 0.722, 0.720, 0.723))
    assert not several.agrees
    assert judged(made(0.701), *claims, earlier=(0.699, 0.703, 0.698, 0.702)).agrees


def test_a_rerun_counts_once():
    claims, note = (0.690, 0.700, 0.710), {"record": "e" * 64, "found_bits_per_byte": 0.721}
    seeds = [made(score, seed) for seed, score in enumerate(claims)]
    rows = [summarize(seed) for seed in seeds]
    once, often = (
        Index(rows, verifications={seeds[0].id: [verification(seeds[0].id, rerun=note)] * num})
        for num in (1, 9)
    )
    again = made(0.721)
    assert rerun.compare(seeds[0], again, often) == rerun.compare(seeds[0], again, once)


def test_honest_claims_are_seldom_refuted():
    rng = np.random.default_rng(0)
    refuted = sum(
        reruns.judge(*(list(0.7 + 0.0084 * rng.standard_normal(n)) for n in (3, 3))).refutes
        for _ in range(1000)
    )
    assert refuted <= 25


@pytest.mark.parametrize(("again", "agrees"), [(0.72, True), (0.69, True), (0.78, False)])
def test_one_seed_is_judged_by_the_prior(again, agrees):
    found = judged(made(again), 0.7)
    assert found.agrees is agrees and found.num_seeds == 1


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
    assert rerun.compare(made(0.7), made(0.7), Index([other])).num_seeds == 1


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
