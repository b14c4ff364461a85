"""Reruns against the noise of their entry: a one-sided t test, on the same hardware only."""

import pytest
from scipy import stats

from leaderboard.verify import rerun
from speedrun.records.summary import summarize


@pytest.fixture
def scored(make_record):
    """`scored(0.7, seed=3)` makes a record of that score, with weights of its own."""

    def made(bits_per_byte, seed=0, **changes):
        named = {path.replace("__", "."): value for path, value in changes.items()}
        digest = f"{seed:x}{bits_per_byte.hex()[-6:]}".replace("+", "0").replace("p", "0")
        return make_record(
            {
                "score.bits_per_byte": bits_per_byte,
                "seed": seed,
                "config.seed": seed,
                "weights_sha256": "".join(c for c in digest if c in "0123456789abcdef").zfill(64),
                **named,
            }
        )

    return made


def judged(claim, again, *others):
    return rerun.compare(claim, again, [summarize(other) for other in others])


def test_a_rerun_within_the_noise_agrees(scored):
    seeds = [scored(0.700, 0), scored(0.704, 1), scored(0.702, 2)]
    found = judged(seeds[0], scored(0.705), *seeds)
    assert found.agrees and found.num_seeds == 3
    assert found.noise == pytest.approx(0.002)
    assert found.difference == pytest.approx(0.005 / 0.7)
    # The next of three draws, by the t distribution's own words.
    expected = stats.t.sf((0.705 - 0.702) / (0.002 * (4 / 3) ** 0.5), 2)
    assert found.p_value == pytest.approx(expected)


def test_a_rerun_far_beyond_the_noise_refutes(scored):
    seeds = [scored(0.700, 0), scored(0.7004, 1), scored(0.7002, 2)]
    found = judged(seeds[0], scored(0.72), *seeds)
    assert not found.agrees and found.p_value is not None and found.p_value < 0.01


def test_a_better_rerun_refutes_nothing(scored):
    seeds = [scored(0.700, 0), scored(0.7004, 1), scored(0.7002, 2)]
    assert judged(seeds[0], scored(0.5), *seeds).agrees


def test_on_other_hardware_nothing_is_refuted(scored):
    seeds = [scored(0.700, 0), scored(0.7004, 1)]
    found = judged(seeds[0], scored(0.9, hardware__class="cuda-h100"), *seeds)
    assert found.agrees and found.p_value is None and found.hardware_class == "cuda-h100"


@pytest.mark.parametrize(("again", "agrees"), [(0.75, True), (0.69, True), (0.78, False)])
def test_one_seed_has_no_noise_and_is_refuted_by_nonsense_alone(scored, again, agrees):
    found = judged(scored(0.7), scored(again))
    assert found.agrees is agrees
    assert (found.noise, found.num_seeds, found.p_value) == (None, 1, None)


@pytest.mark.parametrize(
    "change",
    [
        {"budget_s": 60.0},
        {"arch": "lstm"},
        {"device": "cuda"},
        {"config.recipe": {"lr": 1.0}},
        {"data.train_fingerprint": "e" * 64},
        {"status": "interrupted"},
    ],
    ids=str,
)
def test_only_ranked_runs_of_the_same_config_are_its_entry(scored, change):
    named = {path.replace(".", "__"): value for path, value in change.items()}
    assert judged(scored(0.7), scored(0.7), scored(0.8, 1, **named)).num_seeds == 1


def test_a_config_without_any_noise(scored):
    claim = scored(0.7)
    seeds = [claim, scored(0.7, 1)]
    assert judged(claim, scored(0.7, 0), *seeds).p_value == 1.0
    assert not judged(claim, scored(0.7001, 0), *seeds).agrees


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
def test_a_rerun_finds_its_settings_as_the_record_did(make_record, engine, mode):
    """Which ones those are depends on the machine; a record may say anything."""
    assert rerun.tune_mode(make_record({"train.engine": engine})) == mode
