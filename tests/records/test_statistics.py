"""Means over seeds and the interval of a difference, held against scipy's."""

import statistics
from typing import Any

import pytest
import scipy.stats
from helpers.made_records import made

from speedrun.records.statistics import Spread, over_seeds, welch_interval
from speedrun.records.summary import summarize


def of(values) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values), len(values))


def test_seeds_that_tell_something_new_are_counted():
    runs = [summarize(made(score, seed)) for seed, score in enumerate((0.80, 0.81, 0.82))]
    assert over_seeds(runs, "bits_per_byte") == pytest.approx(of([0.80, 0.81, 0.82]))
    again = summarize(made(0.60, 0))  # a better race of seed 0
    assert over_seeds([*runs, again], "bits_per_byte") == pytest.approx(of([0.70, 0.81, 0.82]))
    copies = [runs[0]._replace(seed=seed) for seed in range(3)]  # the same weights
    assert over_seeds(copies, "bits_per_byte") == Spread(0.8, None, 1)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ([0.70, 0.71, 0.72], [0.80, 0.81, 0.82]),
        ([0.81, 0.70, 0.75, 0.9], [0.80, 0.81]),
        ([0.9, 0.91, 0.95], [0.80, 0.81, 0.86, 0.7, 0.8]),
        ([0.70, 0.70, 0.70], [0.80, 0.81, 0.82]),
    ],
)
def test_the_interval_of_a_difference_is_scipys(new, old):
    both: Any = scipy.stats.ttest_ind(new, old, equal_var=False).confidence_interval(0.95)
    assert welch_interval(of(new), of(old)) == pytest.approx((both.low, both.high), rel=1e-6)


def test_the_interval_of_a_difference_without_noise_or_in_any_unit():
    assert welch_interval(Spread(0.7, 0.0, 3), Spread(0.8, 0.0, 3)) == pytest.approx((-0.1, -0.1))
    for scale in (1e-100, 1e100):  # squares of variances that no double holds
        low, high = welch_interval(Spread(0.7, scale, 3), Spread(0.7, scale, 3))
        assert 0 < high == -low
