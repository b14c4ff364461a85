"""The verdict of paired races: against scipy's t-test, mirrored, scaled, and its bad input."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from speedrun.duel.verdict import MIN_PAIRS, verdict

BETTER = [-0.011, -0.013, -0.009, -0.012, -0.010]


def test_the_numbers_are_those_of_the_paired_t_test():
    found = verdict(BETTER, 5)
    expected: Any = stats.ttest_1samp(BETTER, 0, alternative="less")
    both: Any = stats.ttest_1samp(BETTER, 0)
    interval = both.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.p_value_a == pytest.approx(1 - expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.mean == pytest.approx(np.mean(BETTER))
    assert found.probability == pytest.approx(1 - expected.pvalue)


@pytest.mark.parametrize(
    ("ln_ratios", "planned", "stop", "decision", "looks"),
    [
        (BETTER, 5, "fixed", "b", 1),
        ([-x for x in BETTER], 5, "fixed", "a", 1),
        (BETTER, 6, "fixed", "open", 0),
        (BETTER[:3], 3, "fixed", "b", 1),
        ([0.01, -0.01, 0.002, -0.004, 0.001], 5, "fixed", "none", 1),
        ([*BETTER, 0.5, 0.5], 5, "fixed", "b", 1),  # the one look is over
        (BETTER, 8, "early", "b", 3),
        ([-x for x in BETTER], 8, "early", "a", 3),
        (BETTER[:4], 8, "early", "open", 2),  # three or four pairs may agree by chance
        ([*BETTER, 0.5], 8, "early", "b", 3),  # a verdict is not taken back
        ([0.01, -0.01, 0.002, -0.004, 0.001], 8, "early", "none", 2),
        ([0.01, -0.01, 0.002], 3, "early", "none", 1),
        (BETTER[:1], 8, "early", "open", 0),
        ([0.0] * 5, 5, "fixed", "none", 1),
        ([-0.01] * 5, 5, "fixed", "b", 1),
        ([-0.01] * 5, 5, "early", "b", 3),
    ],
)
def test_decisions(ln_ratios, planned, stop, decision, looks):
    found = verdict(ln_ratios, planned, stop)
    assert (found.decision, found.looks) == (decision, looks)


@pytest.mark.parametrize("values", [[-0.5], [0.0] * 5])
def test_one_pair_or_equal_scores_say_nothing(values):
    found = verdict(values, 5)
    assert found.high - found.low == (math.inf if len(values) == 1 else 0)
    assert (found.p_value, found.p_value_a, found.probability) == (1, 1, 0.5)


@pytest.mark.parametrize(
    ("ln_ratios", "planned", "stop", "message"),
    [
        ([], 5, "fixed", "one finite number per pair"),
        ([0.1, math.nan], 5, "fixed", "one finite number per pair"),
        ([0.1], MIN_PAIRS - 1, "fixed", "a duel has at least 3"),
        ([0.1], 1000, "early", "to 30"),
        ([0.1], 5, "late", '"fixed" or "early"'),
    ],
)
def test_bad_input(ln_ratios, planned, stop, message):
    with pytest.raises(ValueError, match=message):
        verdict(ln_ratios, planned, stop)


RANDOM = [
    (values * 10.0**exponent, stop)
    for exponent in (-6, -2, 2)
    for values in np.random.default_rng(15).normal(-1, 1, (4, 8))
    for stop in ("fixed", "early")
]


@pytest.mark.parametrize(("values", "stop"), RANDOM)
def test_swapped_sides_mirror_the_verdict(values, stop):
    found, swapped = verdict(values, 8, stop), verdict(-values, 8, stop)
    assert (swapped.mean, swapped.low, swapped.high) == (-found.mean, -found.high, -found.low)
    assert (swapped.p_value, swapped.p_value_a) == (found.p_value_a, found.p_value)
    assert swapped.probability == pytest.approx(1 - found.probability)
    assert swapped.decision == {"a": "b", "b": "a"}.get(found.decision, found.decision)
    assert swapped.looks == found.looks


@pytest.mark.parametrize(("values", "stop"), RANDOM)
def test_a_verdict_keeps_to_units_and_grows_with_the_difference(values, stop):
    found, scaled = verdict(values, 8, stop), verdict(values * 4, 8, stop)
    assert (scaled.decision, scaled.p_value) == (found.decision, pytest.approx(found.p_value))
    assert scaled.high == pytest.approx(4 * found.high)
    further = verdict(values - abs(values).mean(), 8, stop)
    assert further.p_value < found.p_value and further.probability > found.probability
    assert found.decision != "b" or further.decision == "b"


@pytest.mark.parametrize(("values", "stop"), RANDOM)
def test_a_verdict_once_given_stays(values, stop):
    last = "open"
    for num in range(1, 9):
        now = verdict(values[:num], 8, stop)
        assert last in ("open", now.decision)
        last = now.decision
    assert last != "open"
