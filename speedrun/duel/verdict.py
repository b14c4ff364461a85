"""Whether one side of a duel is better: paired t-test on ln(bits per byte)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from speedrun.duel.sequential import FUTILE, SIGNIFICANCE, limits, predictive_power

MIN_PAIRS = 3  # to run a duel
RECORD_PAIRS = 5  # to hold a record

Decision = Literal["b", "a", "none", "open"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The difference of two sides as ln b - ln a, and what follows from it.

    Below 0, B has fewer bits per byte. `decision` is that of the first look that ended the duel,
    so pairs raced afterwards narrow the interval and cannot take it back; "open" means that
    pairs are missing.
    """

    mean: float
    low: float  # 95 % confidence interval of the mean
    high: float
    p_value: float  # one-sided, for B better
    p_value_a: float  # one-sided, for A better
    probability: float  # that B is better, under a flat prior
    decision: Decision
    looks: int  # taken so far, the one that decided included
    boundary: float | None  # p-value below which this look decides; None where it is no look


def verdict(ln_ratios: Sequence[float], planned: int, stop: str = "fixed") -> Verdict:
    """The verdict of the counted pairs' ln(b / a), in the order they were raced.

    With `stop` "fixed" there is one look, at `planned` pairs, at `SIGNIFICANCE` in each
    direction. With "early" there is one after each pair up to `planned`; `sequential` has the rule.
    """
    values = np.asarray(ln_ratios, dtype=float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"ln ratios {ln_ratios!r}: a verdict needs one finite number per pair")
    if planned < MIN_PAIRS:
        raise ValueError(f"{planned} pairs: a duel has at least {MIN_PAIRS}")
    if stop not in ("fixed", "early"):
        raise ValueError(f'stop {stop!r}: it is "fixed" or "early"')
    boundaries = {planned: SIGNIFICANCE} if stop == "fixed" else limits(planned)
    decision, looks = _decide(values[:planned], planned, stop, boundaries)
    mean, error, num = float(values.mean()), _standard_error(values), len(values)
    p_value, p_value_a = _p_values(values)
    reach = _reach(error, num)
    return Verdict(
        mean=mean,
        low=mean - reach,
        high=mean + reach,
        p_value=p_value,
        p_value_a=p_value_a,
        probability=1 - p_value if num > 1 else 0.5,
        decision=decision,
        looks=looks,
        boundary=boundaries.get(num),
    )


def _decide(
    values: np.ndarray, planned: int, stop: str, boundaries: dict[int, float]
) -> tuple[Decision, int]:
    """The decision of the first look that makes one, and the number of looks taken."""
    first = planned if stop == "fixed" else MIN_PAIRS
    for num in range(first, len(values) + 1):
        looks = num - first + 1
        p_value, p_value_a = _p_values(values[:num])
        limit = boundaries.get(num, 0.0)
        if p_value < limit:
            return "b", looks
        if p_value_a < limit:
            return "a", looks
        if num == planned or predictive_power(_t(values[:num]), num, planned) < FUTILE:
            return "none", looks
    return "open", max(len(values) - first + 1, 0)


def _standard_error(values: np.ndarray) -> float:
    """Standard error of the mean; infinite for one value."""
    if len(values) == 1:
        return math.inf
    return 0.0 if np.ptp(values) == 0 else float(values.std(ddof=1)) / math.sqrt(len(values))


def _t(values: np.ndarray) -> float:
    """Mean over its standard error; without any spread infinite, or 0 where all are 0."""
    mean, error = float(values.mean()), _standard_error(values)
    return mean / error if error else math.copysign(math.inf, mean) if mean else 0.0


def _p_values(values: np.ndarray) -> tuple[float, float]:
    """One-sided p-values for a mean below and above 0; 1 where nothing can be said."""
    if len(values) == 1 or not values.any():
        return 1.0, 1.0
    from scipy.special import stdtr

    t, freedom = _t(values), len(values) - 1
    return float(stdtr(freedom, t)), float(stdtr(freedom, -t))


def _reach(error: float, num: int) -> float:
    """Half the width of the mean's 95 % confidence interval."""
    from scipy.special import stdtrit

    return error * float(stdtrit(num - 1, 0.975)) if math.isfinite(error) else math.inf
