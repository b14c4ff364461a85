"""Which race of a sweep cannot win any more: a rule on training curves, pure.

The field of a race are the finished runs of its architecture and budget. At a few shares of the
budget the race is carried on to the end, and stopped if even that, less several times its error,
is worse than the best size so far: the rungs of successive halving (Jamieson & Talwalkar 2016), but
stopping what has lost and never a fixed half, so that a close field is raced to the end. Curves of
one budget compare at equal shares, since schedules read the share.

Where its size was raced before under another seed, it ends as that did, better or worse by as much
as it is now. Where not, it gains what the finished run nearest in size still gained from here,
widened because another size may gain more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RUNGS = (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75)
WINDOW = 0.06  # of the budget, that a loss is averaged over
PER_DOUBLING = 1.4  # how much more than the nearest size another may gain to the end
# Relative: what seeds of one size differ by on a shared host; taken for this many runs, to which
# those of the field are added.
SEED_NOISE, NOISE_WEIGHT = 0.01, 3
NUM_ERRORS = 2.0  # that a race is given
_SETTLED = 0.3  # of what was raced so far: the first steps say little
MIN_FINISHED_SIZES = 4  # raced to the end before any is stopped: a fit needs them

Curve = Sequence[tuple[float, float | None]]  # share of the budget, nats of a training step


@dataclass(frozen=True)
class Raced:
    """A finished run as far as the rule is concerned."""

    params: int
    curve: Curve
    bits_per_byte: float


@dataclass(frozen=True)
class Level:
    """Mean loss in a window, and its standard error."""

    nats: float
    error: float


def level(curve: Curve, start: float, end: float) -> Level | None:
    """The loss between two shares of the budget; None without points to tell its noise by."""
    near = [nats for at, nats in curve if start <= at <= end and nats is not None]
    if len(near) < 3 or not all(map(math.isfinite, near)):
        return None
    # By differences, so that the trend is no noise.
    noise = float(np.std(np.diff(near))) / math.sqrt(2 * len(near))
    return Level(float(np.mean(near)), noise)


def rung(share: float) -> float | None:
    """The last rung that a share has reached."""
    return max((r for r in RUNGS if r <= share), default=None)


def has_lost(params: int, curve: Curve, finished: Sequence[Raced]) -> bool:
    """Whether a race under way cannot make its size the best of the field any more."""
    share = rung(curve[-1][0]) if curve else None
    scores = _scores(finished)
    if share is None or len(scores) < MIN_FINISHED_SIZES:
        return False
    if params in scores:
        return _by_its_size(params, curve, share, finished, scores)
    return _by_its_neighbour(params, curve, share, finished)


def _scores(runs: Sequence[Raced]) -> dict[int, list[float]]:
    scores: dict[int, list[float]] = {}
    for run in runs:
        scores.setdefault(run.params, []).append(run.bits_per_byte)
    return scores


def _by_its_size(
    params: int,
    curve: Curve,
    share: float,
    finished: Sequence[Raced],
    scores: dict[int, list[float]],
) -> bool:
    start = _SETTLED * share
    here = level(curve, start, share)
    others = [level(one.curve, start, share) for one in finished if one.params == params]
    if here is None or None in others:
        return False
    there = float(np.mean([one.nats for one in others if one is not None]))
    error = max(one.error for one in others if one is not None)
    mean = float(np.mean(scores[params]))
    forecast = 0.5 * (mean + mean * here.nats / there)  # of the size's mean, this run counted in
    best = min((found for size, found in scores.items() if size != params), key=np.mean)
    seeds = _seed_noise(scores) * math.sqrt(1 / (len(scores[params]) + 1) + 1 / len(best))
    spread = math.hypot(here.error / here.nats, error / there, seeds)
    return forecast * (1 - NUM_ERRORS * spread) > float(np.mean(best))


def _seed_noise(scores: dict[int, list[float]]) -> float:
    """Relative standard deviation between seeds, of the field and what is known beforehand."""
    squares, freedom = NOISE_WEIGHT * SEED_NOISE**2, NOISE_WEIGHT
    for found in scores.values():
        logs = np.log(found)
        squares += float(np.sum((logs - logs.mean()) ** 2))
        freedom += len(found) - 1
    return math.sqrt(squares / freedom)


def _by_its_neighbour(params: int, curve: Curve, share: float, finished: Sequence[Raced]) -> bool:
    best = min(finished, key=lambda one: one.bits_per_byte)
    near = min(finished, key=lambda one: _doublings(params, one.params))
    levels = [
        level(curve, share - WINDOW, share),
        level(near.curve, share - WINDOW, share),
        level(near.curve, 1 - WINDOW, 1.0),
        level(best.curve, 1 - WINDOW, 1.0),
    ]
    here, then, end, goal = levels
    if here is None or then is None or end is None or goal is None:
        return False
    gain = max(0.0, then.nats - end.nats) * PER_DOUBLING ** _doublings(params, near.params)
    noise = math.hypot(*(one.error for one in (here, then, end, goal)), SEED_NOISE * goal.nats)
    return here.nats - gain > goal.nats + NUM_ERRORS * noise


def _doublings(a: int, b: int) -> float:
    return abs(math.log2(a / b))
