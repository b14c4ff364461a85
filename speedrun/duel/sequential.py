"""Limits on the p-values of a duel that may end early (group-sequential t-test).

Every look at the data spends a part of the permitted rate of false verdicts: after n of N pairs
α (n/N)^3 in all (power family; Kim and DeMets 1987, after Lan and DeMets 1983), for each of
the two directions. The limits hold for the paired t-test at any number of pairs, not only where
t is nearly normal: under no difference u_n = Σx / √Σx² is a Markov chain,

    u_(n+1) = (u_n + v) / √(1 + v²),   v = t_n / √n,   t_n Student's t with n degrees of freedom,

since Σx² is complete and sufficient for the variance and hence independent of u_1 … u_n (Basu).
So the rate at each look follows by numerical recursion (Armitage, McPherson and Rowe 1969).

A win is looked for from `FIRST_LOOK` pairs on: with noise in two levels, as from another process
that comes and goes, three or four pairs may agree by chance far more often than t assumes.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

SIGNIFICANCE = 0.01  # rate of false verdicts in each direction
MIN_PAIRS = 3  # to run a duel
FIRST_LOOK = 5  # pairs
MAX_PAIRS = 30
FUTILE = 0.05  # a duel ends where a verdict at its end is less likely than this

_SPENDING_POWER = 3
_NUM_BINS = 200
_LOWEST_Z = -4.0  # below it nobody gets above a limit in one pair


@cache
def limits(planned: int) -> dict[int, float]:
    """One-sided p-values below which a duel ends with a verdict, by number of pairs."""
    if not 2 <= planned <= MAX_PAIRS:
        raise ValueError(f"{planned} planned pairs: a duel that may end early has 2 to {MAX_PAIRS}")
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    first = min(FIRST_LOOK, planned)
    level = SIGNIFICANCE * (first / planned) ** _SPENDING_POWER
    found, spent = {first: level}, level
    edges = np.linspace(_LOWEST_Z, -float(ndtri(level)), _NUM_BINS + 1)
    masses = np.diff(ndtr(edges))
    for num in range(first, planned):
        target = SIGNIFICANCE * ((num + 1) / planned) ** _SPENDING_POWER - spent
        starts = _sum_statistic((edges[1:] + edges[:-1]) / 2, num)

        def beyond(z: float | np.ndarray, starts=starts, masses=masses, num=num) -> np.ndarray:
            ends = np.atleast_1d(_sum_statistic(np.asarray(z), num + 1))
            return _exceeds(ends[:, None], starts[None, :], num) @ masses

        above: Any = brentq(lambda z, f=beyond, goal=target: f(z)[0] - goal, 1.0, 8.0)
        limit = float(above)
        edges = np.linspace(_LOWEST_Z, limit, _NUM_BINS + 1)
        masses = -np.diff(beyond(edges))
        found[num + 1] = float(ndtr(-limit))
        spent += target
    return found


def looks_of(planned: int, stop: str) -> Mapping[int, float]:
    """The p-values of the looks at which a verdict may fall, by number of pairs."""
    return {planned: SIGNIFICANCE} if stop == "fixed" else limits(planned)


def decisions(ln_ratios: np.ndarray, planned: int, stop: str) -> tuple[np.ndarray, np.ndarray]:
    """Ends of duels ("b", "a", "none" or "open"), and the looks that each of them took.

    `ln_ratios` is [duels, pairs]. `stop` "fixed" looks once, at the planned number of pairs.
    """
    from scipy.special import stdtr

    boundaries = looks_of(planned, stop)
    found = np.full(len(ln_ratios), "open")
    looks = np.zeros(len(ln_ratios), int)
    first = planned if stop == "fixed" else MIN_PAIRS
    for num in range(first, min(ln_ratios.shape[1], planned) + 1):
        t, limit = t_statistics(ln_ratios[:, :num]), boundaries.get(num, 0.0)
        is_over = num == planned or predictive_power(t, num, planned, boundaries[planned]) < FUTILE
        here = np.select(
            [stdtr(num - 1, t) < limit, stdtr(num - 1, -t) < limit, is_over],
            ["b", "a", "none"],
            "open",
        )
        looks += found == "open"
        found = np.where(found == "open", here, found)
    return found, looks


def t_statistics(values: np.ndarray) -> np.ndarray:
    """Means over their standard errors, [duels] of [duels, pairs].

    Without any spread it is infinite, or 0 where all values are 0.
    """
    mean = values.mean(axis=1)
    error = values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])
    error = np.where(np.ptp(values, axis=1) == 0, 0.0, error)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, 0.0, mean / error)


def predictive_power(t: np.ndarray, num: int, planned: int, limit: float) -> np.ndarray:
    """Probability that a duel at t after `num` pairs ends at its last look with a verdict.

    Flat prior on the difference, spread as observed so far (Spiegelhalter, Freedman and
    Blackburn 1986). Ending on it only loses verdicts, so the limits need not know about it.
    """
    from scipy.special import stdtr, stdtrit

    needed = float(stdtrit(planned - 1, 1 - limit)) * math.sqrt(num)
    now, left = t * math.sqrt(planned), math.sqrt(planned - num)
    return stdtr(num - 1, (now - needed) / left) + stdtr(num - 1, (-now - needed) / left)


def _sum_statistic(z: np.ndarray, num: int) -> np.ndarray:
    """Σx / √Σx² of `num` pairs where the t-test's p-value is that of a normal z."""
    from scipy.special import ndtr, stdtrit

    tail = stdtrit(num - 1, ndtr(-np.abs(z)))  # the lower tail keeps its digits
    t = np.copysign(tail, z)
    return t * np.sqrt(num / (num - 1 + t * t))


def _exceeds(end: np.ndarray, start: np.ndarray, num: int) -> np.ndarray:
    """Probability that u of `num` + 1 pairs lies above `end`, given u of `num` pairs."""
    from scipy.special import stdtr

    flip = np.where(end < 0, -1.0, 1.0)  # P(u > -c | s) = 1 - P(u > c | -s)
    end, start = np.abs(end), flip * start
    inside = np.sqrt(np.maximum(1 + start**2 - end**2, 0))
    below_one = np.where(end == 1, 1e-12, 1 - end**2)
    low = (end * inside - start) / below_one
    # Above 1 only positive starts lead, by an interval: a large v alone brings u back to 1.
    high = np.where(end < 1, np.inf, (-end * inside - start) / below_one)
    root = math.sqrt(num)
    chance = np.maximum(stdtr(num, high * root) - stdtr(num, low * root), 0)
    chance = np.where((end >= 1) & (start < 0), 0, chance)
    return np.where(flip > 0, chance, 1 - chance)
