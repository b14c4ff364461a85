"""Moderated variances: Smyth's estimates, and how sure a difference of means is."""

from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats

from leaderboard.standing import moderated
from leaderboard.standing.moderated import NO_PRIOR, Prior
from speedrun.records.statistics import Spread


def ttest(*args: Any, **options: Any) -> Any:
    return scipy.stats.ttest_ind(*args, **options)


def spreads(sds, n: int = 3) -> list[Spread]:
    return [Spread(0.0, float(sd), n) for sd in sds]


def test_the_prior_is_found_again_in_what_it_made():
    rng = np.random.default_rng(0)
    variances = 1e-4 * 6 / rng.chisquare(6, 20_000)
    drawn = rng.normal(0, np.sqrt(variances)[:, None], (20_000, 3)).std(axis=1, ddof=1)
    found = moderated.fit(spreads(drawn))
    assert found.freedom == pytest.approx(6, rel=0.15)
    assert found.variance == pytest.approx(1e-4, rel=0.05)


@pytest.mark.parametrize("value", [3e-10, 1e-6, 0.1, 1.0, 10.0, 1e6, 1e12])
def test_trigamma_is_inverted(value):
    found = moderated._inverse_trigamma(value)
    assert float(scipy.special.polygamma(1, found)) == pytest.approx(value, rel=1e-9)


def test_equal_variances_are_pooled_and_known_no_better_than_they_are():
    found = moderated.fit(spreads([0.01, 0.01, 0.011]))
    assert found.freedom > 1e6 and found.pooled == 6
    one, other = spreads([0.01, 0.01])
    between = moderated.difference(one, other, found)
    assert between is not None and between[2] == 6


@pytest.mark.parametrize("sds", [[], [0.01], [0.0, 0.01], [0.0, 0.0], [1e-200, 1e-200]])
def test_too_few_spreads_say_nothing(sds):
    assert moderated.fit(spreads(sds)) == NO_PRIOR


@pytest.mark.parametrize("sds", [[1e-100, 1e150, 1], [1e-150, 1e-140], [1e-8, 1, 1e8]])
def test_any_spreads_have_a_finite_prior(sds):
    found = moderated.fit(spreads(sds))
    assert found.freedom > 0 and 0 <= found.variance < np.inf


def test_without_a_prior_it_is_the_pooled_t_test():
    new, old = [0.70, 0.72, 0.71, 0.69], [0.71, 0.74, 0.75]
    a, b = (Spread(float(np.mean(x)), float(np.std(x, ddof=1)), len(x)) for x in (new, old))
    theirs = ttest(new, old, alternative="less")
    assert moderated.probability(a, b, NO_PRIOR) == pytest.approx(1 - theirs.pvalue)
    found = moderated.difference(a, b, NO_PRIOR)
    assert found is not None
    p, low, high = moderated.test(*found)
    both = ttest(new, old)
    assert p == pytest.approx(both.pvalue)
    assert (low, high) == pytest.approx(tuple(both.confidence_interval(0.95)))


def test_a_single_seed_borrows_its_noise_from_the_track():
    one, record, prior = Spread(0.6, None, 1), Spread(0.7, None, 1), Prior(6.0, 1e-4, 8, 4)
    assert moderated.probability(one, record, NO_PRIOR) is None
    expected = scipy.stats.t.cdf(0.1 / (1e-4 * 2) ** 0.5, 6)
    assert moderated.probability(one, record, prior) == pytest.approx(expected)
    assert moderated.probability(one._replace(n=0), record, prior) is None


def test_without_any_noise_the_lower_is_better():
    low, high = Spread(0.6, 0.0, 3), Spread(0.7, 0.0, 3)
    found = [moderated.probability(*pair, NO_PRIOR) for pair in ((low, high), (high, low))]
    assert [*found, moderated.probability(low, low, NO_PRIOR)] == [1.0, 0.0, 0.5]
