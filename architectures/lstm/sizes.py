"""The size solver: from a number of parameters to a shape that trains well in minutes."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from architectures.lstm import Config
from architectures.sizing import TOLERANCE, chosen

_USUAL_RATIO = 1.6  # hidden / width


def solve(target: int, vocab: int, fixed: dict[str, Any]) -> Config:
    """The configuration nearest to `target` parameters, one or two layers deep.

    Width steps by 8 and the recurrence takes up the rest; among configurations within 1 % the
    one nearest to the usual ratio wins. Raises ValueError where none is within 3 %.
    """
    depth = fixed.get("depth", 1 if target < 500_000 else 2)
    defaults = {
        "depth": depth,
        "token_scales": max(0, min(depth, _token_scales_for(target))),
        "num_common": 1024 if vocab > 2048 else 0,
    }
    candidates = _candidates(target, vocab, {**defaults, **fixed})
    return chosen("lstm", target, vocab, candidates, _shape_penalty)


def _token_scales_for(target: int) -> int:
    return 0 if target < 500_000 else 1 if target < 1_500_000 else 2


def _candidates(target: int, vocab: int, fixed: dict[str, Any]) -> Iterator[Config]:
    for width in [fixed["width"]] if "width" in fixed else range(8, 8192, 8):
        if "width" not in fixed and width * vocab > target * (1 + TOLERANCE):
            return
        smallest = Config(**{"vocab": vocab, "width": width, "hidden": 8, **fixed})
        if "hidden" in fixed:
            yield smallest
            continue
        for hidden in _hidden_for(target, smallest):
            if hidden >= 8 or "width" in fixed:
                yield dataclasses.replace(smallest, hidden=max(8, hidden))


def _hidden_for(target: int, smallest: Config) -> tuple[int, ...]:
    """The hidden size that meets the target, rounded to 16, to 8 and to 1.

    A layer has 4 H^2 + (5 D + 4) H parameters for that.
    """
    a, b = 4, 5 * smallest.width + 4
    others = smallest.num_params - smallest.depth * (a * smallest.hidden + b) * smallest.hidden
    c = (target - others) / smallest.depth
    exact = (math.sqrt(b * b + 4 * a * max(0.0, c)) - b) / (2 * a)
    return tuple(round(exact / step) * step for step in (16, 8, 1))


def _shape_penalty(config: Config) -> float:
    penalty = abs(math.log(config.hidden / (_USUAL_RATIO * config.width)))
    # Products of multiples of 16 run at full vector width.
    return penalty + (0.15 if config.hidden % 16 else 0.0) + (0.05 if config.width % 16 else 0.0)
