"""Reruns of an entry against its claims: one test over all of them.

A single rerun says little, since two races of one seed differ by the host's noise. All reruns of an
entry together say more: a one-sided t test of their mean against the mean of the claims, in ln bits
per byte, with the variance pooled over both and a prior for the few of them.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

MIN_P = 0.01  # reruns less probable than this refute the claim
MAX_DIFFERENCE = 0.10  # of one rerun, whatever the others; our own seeds lie within 3 %
_PRIOR_SD, _PRIOR_FREEDOM = 0.01, 4  # of ln bits per byte over seeds of one config, in our races
_MAX_SD = 0.03  # a claim's own spread excuses no more: whoever makes it up chooses it


class Verdict(NamedTuple):
    """Probability of reruns at least this bad, and the deviation that they were judged with."""

    p_value: float
    sd: float  # of ln bits per byte

    @property
    def refutes(self) -> bool:
        """Whether the reruns are too bad to be of the claimed config."""
        return self.p_value < MIN_P


def agrees(difference: float, p_value: float) -> bool:
    """Whether a rerun this much worse, relative to its claim, refutes nothing."""
    return difference <= MAX_DIFFERENCE and p_value >= MIN_P


def judge(claimed: Sequence[float], found: Sequence[float]) -> Verdict:
    """Verdict of reruns on claims, both in bits per byte; neither is empty."""
    from scipy.special import stdtr

    of_claims, of_reruns = [math.log(x) for x in claimed], [math.log(x) for x in found]
    squares = min(_squares(of_claims), (len(claimed) - 1) * _MAX_SD**2) + _squares(of_reruns)
    freedom = len(claimed) + len(found) - 2 + _PRIOR_FREEDOM
    sd = math.sqrt((squares + _PRIOR_FREEDOM * _PRIOR_SD**2) / freedom)
    error = sd * math.sqrt(1 / len(claimed) + 1 / len(found))
    return Verdict(float(stdtr(freedom, (fmean(of_claims) - fmean(of_reruns)) / error)), sd)


def _squares(values: Sequence[float]) -> float:
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values)
