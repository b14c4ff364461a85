"""Early stopping of races that cannot win any more, decided by their training curves.

A race competes with the finished ones of its architecture and budget. At a few shares of the
budget its end is forecast, and it is stopped if even the forecast, less several times its error, is
worse than the best size so far: the rungs of successive halving (Jamieson & Talwalkar 2016), but
never a fixed half, so that close sizes are raced to the end. Curves of one budget compare at equal
shares, since schedules read the share.

A size that was raced before under another seed is forecast to end as that did, better or worse by
as much as it is now. Another gains what the finished race nearest in size still gained from here,
more the further apart their sizes are.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

RUNGS = (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75)
WINDOW = 0.06  # of the budget, that a loss is averaged over
PER_DOUBLING = 1.4  # factor on the gain to the end for each doubling between two sizes
# Relative difference between seeds of one size on a shared host; counted as this many runs, to
# which the finished ones are added.
SEED_NOISE, NOISE_WEIGHT = 0.01, 3
NUM_ERRORS = 2.0  # margin, in standard errors of the forecast
MIN_FINISHED_SIZES = 4  # before any race is stopped: a fit needs them
_SETTLED = 0.3  # the first part of a curve says little about its end

Curve = Sequence[tuple[float, float | None]]  # share of the budget, nats of a training step


class FinishedRace(NamedTuple):
    """Size, training curve and score of a finished race."""

    params: int
    curve: Curve
    bits_per_byte: float


class _Level(NamedTuple):
    nats: float
    error: float


def has_lost(params: int, curve: Curve, finished: Sequence[FinishedRace]) -> bool:
    """Whether a race with this curve cannot make its size the best one any more."""
    share = max((rung for rung in RUNGS if curve and rung <= curve[-1][0]), default=None)
    sizes: dict[int, list[FinishedRace]] = {}
    for race in finished:
        sizes.setdefault(race.params, []).append(race)
    if share is None or len(sizes) < MIN_FINISHED_SIZES:
        return False
    if params in sizes:
        return _lost_by_same_size(curve, share, sizes.pop(params), sizes.values())
    return _lost_by_nearest_size(params, curve, share, finished)


def _level(curve: Curve, start: float, end: float) -> _Level | None:
    """Mean loss between two shares of the budget, and its standard error; None if unknown."""
    near = [nats for at, nats in curve if start <= at <= end and nats is not None]
    if len(near) < 3 or not all(map(math.isfinite, near)):
        return None
    # From differences, so that the trend does not count as noise.
    noise = float(np.std(np.diff(near))) / math.sqrt(2 * len(near))
    return _Level(float(np.mean(near)), noise)


def _lost_by_same_size(
    curve: Curve,
    share: float,
    same: Sequence[FinishedRace],
    others: Iterable[Sequence[FinishedRace]],  # by size
) -> bool:
    start = _SETTLED * share
    here = _level(curve, start, share)
    levels = [_level(race.curve, start, share) for race in same]
    known = [level for level in levels if level is not None]
    if here is None or len(known) < len(levels):
        return False
    there, error = float(np.mean([one.nats for one in known])), max(one.error for one in known)
    scores = [[race.bits_per_byte for race in races] for races in (same, *others)]
    mean = float(np.mean(scores[0]))
    forecast = 0.5 * (mean + mean * here.nats / there)  # of the size's mean with this race
    best = min(scores[1:], key=np.mean)
    seeds = _seed_noise(scores) * math.sqrt(1 / (len(same) + 1) + 1 / len(best))
    spread = math.hypot(here.error / here.nats, error / there, seeds)
    return forecast * (1 - NUM_ERRORS * spread) > float(np.mean(best))


def _seed_noise(scores: Sequence[Sequence[float]]) -> float:
    """Relative standard deviation between seeds, pooled with the one assumed beforehand."""
    logs = [np.log(found) for found in scores]
    squares = NOISE_WEIGHT * SEED_NOISE**2 + sum(len(one) * float(np.var(one)) for one in logs)
    return math.sqrt(squares / (NOISE_WEIGHT + sum(len(one) - 1 for one in logs)))


def _lost_by_nearest_size(
    params: int, curve: Curve, share: float, finished: Sequence[FinishedRace]
) -> bool:
    def doublings(race: FinishedRace) -> float:
        return abs(math.log2(params / race.params))

    best = min(finished, key=lambda race: race.bits_per_byte)
    near = min(finished, key=doublings)
    here = _level(curve, share - WINDOW, share)
    then = _level(near.curve, share - WINDOW, share)
    end, goal = (_level(race.curve, 1 - WINDOW, 1.0) for race in (near, best))
    if here is None or then is None or end is None or goal is None:
        return False
    gain = max(0.0, then.nats - end.nats) * PER_DOUBLING ** doublings(near)
    errors = (here.error, then.error, end.error, goal.error)
    noise = math.hypot(*errors, SEED_NOISE * goal.nats)
    return here.nats - gain > goal.nats + NUM_ERRORS * noise
