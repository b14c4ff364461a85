"""The size solver: from a number of parameters to a denoiser that trains well in minutes."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from architectures.d3pm import Config
from architectures.sizing import TOLERANCE, chosen

_STEP = 8  # of width and hidden
_USUAL_RATIO = {"transformer": 4.0, "lstm": 1.5}  # hidden over width


def solve(target: int, vocab: int, fixed: dict[str, Any]) -> Config:
    """The configuration nearest to `target` parameters.

    Width steps by 8 and the hidden size takes up the rest; among configurations within 1 % the
    one whose hidden size is nearest to its usual ratio wins. Raises ValueError where none is
    within 3 %.
    """
    denoiser = fixed.get("denoiser", "transformer")
    depth = fixed.get("depth", _depth_for(target, denoiser))
    defaults: dict[str, Any] = {
        "depth": depth,
        "value_tables": min(depth, _value_tables_for(target)),
        "num_common": 1024 if vocab > 2048 else 0,
    }
    candidates = _candidates(target, {"vocab": vocab, **defaults, **fixed})
    return chosen("d3pm", target, vocab, candidates, _shape_penalty)


def _depth_for(target: int, denoiser: str) -> int:
    if denoiser == "lstm":
        return 1 if target < 500_000 else 2
    return 2 if target < 1_000_000 else 3 if target < 8_000_000 else 4


def _value_tables_for(target: int) -> int:
    return 0 if target < 500_000 else 1 if target < 1_500_000 else 2


def _candidates(target: int, given: dict[str, Any]) -> Iterator[Config]:
    """For every width the hidden size that comes nearest to `target`."""
    for width in [given["width"]] if "width" in given else range(_STEP, 8192, _STEP):
        if "width" not in given and width * given["vocab"] > target * (1 + TOLERANCE):
            return
        heads = given.get("heads") or _heads_for(width)
        if "width" not in given and width % heads:
            continue
        smallest = Config(**{"width": width, "heads": heads, "hidden": _STEP, **given})
        if "hidden" in given:
            yield smallest
        elif "width" in given or smallest.num_params <= target * (1 + TOLERANCE):
            yield _filled(smallest, target)


def _filled(smallest: Config, target: int) -> Config:
    """`smallest` with the hidden size, a multiple of eight, that comes nearest to `target`."""
    low, high = 1, 2
    while _with_hidden(smallest, high).num_params < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if _with_hidden(smallest, middle).num_params < target else (low, middle)
        )
    both = (_with_hidden(smallest, low), _with_hidden(smallest, high))
    return min(both, key=lambda c: abs(c.num_params - target))


def _with_hidden(config: Config, eights: int) -> Config:
    return dataclasses.replace(config, hidden=_STEP * eights)


def _heads_for(width: int) -> int:
    """Heads of about 64, the size that attention kernels like best."""
    divisors = [n for n in range(1, width // 2 + 1) if width % (2 * n) == 0]
    return min(divisors or [1], key=lambda n: abs(width / n - 64))


def _shape_penalty(config: Config) -> float:
    penalty = abs(math.log(config.hidden / (_USUAL_RATIO[config.denoiser] * config.width)))
    # Products of multiples of 32 run at full vector width.
    return penalty + (0.15 if config.width % 32 else 0.0) + (0.05 if config.hidden % 16 else 0.0)
