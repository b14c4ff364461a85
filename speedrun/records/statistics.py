"""Means over seeds, and the confidence interval of the difference of two (Welch 1947)."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from speedrun.records.summary import Summary


class Spread(NamedTuple):
    """Mean and sample standard deviation over n seeds; no deviation below two."""

    mean: float
    sd: float | None
    n: int


def over_seeds(runs: Sequence[Summary], field: str) -> Spread:
    """Mean and deviation of a field of the runs, as `spread_over` has them."""
    return spread_over(runs, [getattr(run, field) for run in runs])


def spread_over(runs: Sequence[Summary], values_of_runs: Sequence[float]) -> Spread:
    """Mean and deviation of a value of each run over seeds that tell something new.

    Runs of one seed count as their mean: the better of two is no result. Runs with the same
    weights count once, whatever seeds they name.
    """
    by_seed: dict[int, list[float]] = defaultdict(list)
    seen: set[str] = set()
    for run, value in zip(runs, values_of_runs, strict=True):
        if run.weights_sha256 not in seen:
            seen.add(run.weights_sha256)
            by_seed[run.seed].append(value)
    # Of one value it is that value, which is said here for the time of a large leaderboard.
    means = [v[0] if len(v) == 1 else statistics.fmean(v) for v in by_seed.values()]
    if len(means) == 1 or min(means) == max(means):
        return Spread(means[0], 0.0 if len(means) > 1 else None, len(means))
    mean = statistics.fmean(means)
    # As statistics.stdev, whose exact fractions take a second for a large leaderboard.
    sd = math.hypot(*(value - mean for value in means)) / math.sqrt(len(means) - 1)
    return Spread(mean, sd, len(means))


def welch_interval(new: Spread, old: Spread, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the difference of the means, `new` less `old`."""
    from scipy.special import stdtrit

    error, freedom = _welch(new, old)
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    return new.mean - old.mean - reach, new.mean - old.mean + reach


def _welch(new: Spread, old: Spread) -> tuple[float, float]:
    """Standard error of the difference, and the degrees of freedom (Satterthwaite)."""
    assert new.sd is not None and old.sd is not None
    new_var, old_var = new.sd**2 / new.n, old.sd**2 / old.n
    if (var := new_var + old_var) == 0:
        return 0.0, math.inf
    share = new_var / var  # in shares, so that no square under- or overflows
    freedom = 1 / (share**2 / (new.n - 1) + (1 - share) ** 2 / (old.n - 1))
    return math.sqrt(var), freedom
