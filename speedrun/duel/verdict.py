"""Whether one side of a duel is better: paired t-test on ln(bits per byte)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from speedrun.duel.sequential import MIN_PAIRS, SIGNIFICANCE, decisions, looks_of, t_statistics

RECORD_PAIRS = 5  # to hold a record

__all__ = ["MIN_PAIRS", "RECORD_PAIRS", "SIGNIFICANCE", "Verdict", "verdict"]

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
    found, looks = decisions(values[None], planned, stop)
    mean = float(values.mean())
    p_value, p_value_a = _p_values(values)
    reach = _reach(values)
    return Verdict(
        mean=mean,
        low=mean - reach,
        high=mean + reach,
        p_value=p_value,
        p_value_a=p_value_a,
        probability=(1 - p_value + p_value_a) / 2,  # 0.5 where nothing can be said
        decision=found[0].item(),
        looks=looks[0].item(),
        boundary=looks_of(planned, stop).get(len(values)),
    )


def _p_values(values: np.ndarray) -> tuple[float, float]:
    """One-sided p-values for a mean below and above 0; 1 where nothing can be said."""
    if len(values) == 1 or not values.any():
        return 1.0, 1.0
    from scipy.special import stdtr

    t, freedom = float(t_statistics(values[None])[0]), len(values) - 1
    return float(stdtr(freedom, t)), float(stdtr(freedom, -t))


def _reach(values: np.ndarray) -> float:
    """Half the width of the mean's 95 % confidence interval; infinite for one pair."""
    from scipy.special import stdtrit

    if (num := len(values)) == 1:
        return math.inf
    return float(stdtrit(num - 1, 0.975) * values.std(ddof=1) / math.sqrt(num))
