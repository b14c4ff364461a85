"""The size solver: from a number of parameters to a shape that trains well in minutes."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from architectures.sizing import TOLERANCE, chosen
from architectures.transformer import PRESETS, Config


def solve(target: int, vocab: int, fixed: dict[str, Any]) -> Config:
    """The configuration nearest to `target` parameters, two to four layers deep.

    Width steps by 8 and the MLP takes up the rest; among configurations within 1 % the one
    whose MLP is nearest to its usual ratio wins. Raises ValueError where none is within 3 %.
    """
    defaults: dict[str, Any] = {"depth": _depth_for(target)}
    depth = fixed.get("depth", defaults["depth"])
    defaults["value_tables"] = min(depth, _value_tables_for(target))
    defaults["num_common"] = _num_common_for(vocab)
    candidates = _candidates(target, vocab, {**defaults, **fixed})
    return chosen("transformer", target, vocab, candidates, _shape_penalty)


def preset(name: str, vocab: int, fixed: dict[str, Any]) -> Config:
    """The shape of a preset; the softmax has two levels where a vocabulary is worth it."""
    given = {"num_common": _num_common_for(vocab), **PRESETS[name], **fixed}
    return Config(vocab=vocab, **given)


def _num_common_for(vocab: int) -> int:
    return 1024 if vocab > 2048 else 0


def _depth_for(target: int) -> int:
    return 2 if target < 1_000_000 else 3 if target < 8_000_000 else 4


def _value_tables_for(target: int) -> int:
    return 0 if target < 500_000 else 1 if target < 1_500_000 else 2


def _candidates(target: int, vocab: int, fixed: dict[str, Any]) -> Iterator[Config]:
    for width in [fixed["width"]] if "width" in fixed else range(8, 8192, 8):
        if "width" not in fixed and width * vocab > target * (1 + TOLERANCE):
            return
        heads = fixed["heads"] if "heads" in fixed else _heads_for(width)
        if "width" not in fixed and width % heads:
            continue
        smallest = Config(**{"vocab": vocab, "width": width, "heads": heads, "hidden": 8, **fixed})
        if "hidden" in fixed:
            yield smallest
            continue
        one_wider = dataclasses.replace(smallest, hidden=smallest.hidden + 1)
        per_unit = one_wider.num_params - smallest.num_params
        hidden = 8 + (target - smallest.num_params) / per_unit
        if hidden >= 8 or "width" in fixed:
            yield dataclasses.replace(smallest, hidden=max(8, round(hidden / 8) * 8))


def _heads_for(width: int) -> int:
    """Heads of about 64, the size that attention kernels like best."""
    divisors = [n for n in range(1, width // 2 + 1) if width % (2 * n) == 0]
    return min(divisors or [1], key=lambda n: abs(width / n - 64))


def _shape_penalty(config: Config) -> float:
    """How far the MLP is from its usual ratio, and what odd widths cost.

    Products and the loops between them run at full vector width on multiples of 32. Beside value
    tables, which know much by heart, a narrower MLP does, and pays for such a width.
    """
    usual = 8 / 3 if config.mlp == "swiglu" else 3.0 if config.value_tables else 4.0
    odd_width = 0.3 if config.value_tables else 0.15
    penalty = abs(math.log(config.hidden / (usual * config.width)))
    penalty += odd_width if config.width % 32 else 0.0
    return penalty + (0.05 if config.hidden % 16 else 0.0)
