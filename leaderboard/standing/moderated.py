"""Probability that one entry is better than another, with a variance moderated over the track.

Two entries of three seeds have four degrees of freedom between them, and the spread of three seeds
is mostly chance. All entries of a track know the noise together: their variances of ln(bits per
byte) are taken as draws from a scaled inverse chi-squared distribution with `freedom` degrees of
freedom around `variance`, fitted by the moments of their logarithms (Smyth 2004, section 6.2).
"""

import math
import statistics
from collections.abc import Iterable
from typing import NamedTuple

from speedrun.records.statistics import Spread

_MAX_FREEDOM = 1e10  # as good as a known variance


class Prior(NamedTuple):
    """Knowledge of the entries of a track about the variance of one; none without `freedom`."""

    freedom: float
    variance: float
    pooled: int  # degrees of freedom of all entries that it was fitted to
    num_entries: int


NO_PRIOR = Prior(0.0, 0.0, 0, 0)


def fit(spreads: Iterable[Spread]) -> Prior:
    """The prior of a track from the spreads of its entries; `NO_PRIOR` from fewer than two."""
    found = [(s.sd**2, s.n - 1) for s in spreads if s.sd is not None and s.sd**2 > 0 and s.n > 1]
    if len(found) < 2:
        return NO_PRIOR
    from scipy.special import digamma, polygamma

    logs = [math.log(var) - float(digamma(d / 2)) + math.log(d / 2) for var, d in found]
    own = statistics.fmean(float(polygamma(1, d / 2)) for _, d in found)
    excess = statistics.variance(logs) - own  # trigamma of half the freedom
    fitted_to = sum(d for _, d in found), len(found)
    if excess <= float(polygamma(1, _MAX_FREEDOM / 2)):  # they differ no more than by chance
        return Prior(_MAX_FREEDOM, math.exp(statistics.fmean(logs)), *fitted_to)

    half = _inverse_trigamma(excess)
    # E[ln variance] and half the freedom give the scale.
    log_variance = statistics.fmean(logs) + float(digamma(half)) - math.log(half)
    return Prior(2 * half, math.exp(min(log_variance, 600.0)), *fitted_to)


def _inverse_trigamma(value: float) -> float:
    """The number whose trigamma function is `value`, by Newton's method on 1 / trigamma.

    That function is convex and nearly straight, so that each step comes nearer (Smyth 2004,
    appendix). `scipy.optimize` has a general method, and takes longer to import than a board to
    judge.
    """
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(100):  # about ten are enough
        found = float(polygamma(1, x))
        step = found * (1 - found / value) / float(polygamma(2, x))
        x += step
        if abs(step) <= 1e-12 * x:
            break
    return x


def difference(new: Spread, old: Spread, prior: Prior) -> tuple[float, float, float] | None:
    """Mean of `new` less that of `old`, its standard error, and the degrees of freedom.

    The variance is pooled over both and the prior; its degrees of freedom are at most those of
    the entries that tell of it. None where nothing tells the noise.
    """
    parts = [(s.sd**2, s.n - 1) for s in (new, old) if s.sd is not None and s.n > 1]
    own = sum(d for _, d in parts)
    freedom = own + prior.freedom
    if not freedom or not (new.n and old.n):
        return None
    variance = sum(var * d for var, d in (*parts, (prior.variance, prior.freedom))) / freedom
    error = math.sqrt(variance * (1 / new.n + 1 / old.n))
    return new.mean - old.mean, error, min(freedom, max(own, prior.pooled))


def probability(new: Spread, old: Spread, prior: Prior) -> float | None:
    """Posterior probability (flat prior on the difference) that `new` is lower than `old`."""
    if (found := difference(new, old, prior)) is None:
        return None
    from scipy.special import stdtr

    gap, error, freedom = found
    if error == 0:  # nothing random in either
        return 0.5 if gap == 0 else float(gap < 0)
    return float(stdtr(freedom, -gap / error))


def test(gap: float, error: float, freedom: float) -> tuple[float, float, float]:
    """Two-sided p-value of a difference and its 95 % confidence interval."""
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(freedom, 0.975)) * error
    return 2 * float(stdtr(freedom, -abs(gap) / error)), gap - reach, gap + reach
