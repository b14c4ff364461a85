"""Schedules as functions of the share of the budget spent, never of a step number."""

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def cosine(*, warmup: float, cooldown: float, floor: float) -> Schedule:
    """Rise over `warmup`, then a half cosine over the rest down to `floor` of the peak.

    `cooldown` is not read: a cosine cools down from the end of its warm-up.
    """
    del cooldown

    def scale(share: float) -> float:
        if share < warmup:
            return share / warmup
        progress = min(1.0, (share - warmup) / (1.0 - warmup))
        return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))

    return scale


def trapezoid(*, warmup: float, cooldown: float, floor: float) -> Schedule:
    """Rise over `warmup`, stay at the peak, then a straight line down over the last `cooldown`.

    Also known as warm-up-stable-decay (Hu et al. 2024, arXiv:2404.06395) with linear decay.
    """

    def scale(share: float) -> float:
        if share < warmup:
            return share / warmup
        if cooldown == 0.0 or share <= 1.0 - cooldown:
            return 1.0
        return floor + (1.0 - floor) * max(0.0, (1.0 - share) / cooldown)

    return scale


SCHEDULES: dict[str, Callable[..., Schedule]] = {"cosine": cosine, "trapezoid": trapezoid}
