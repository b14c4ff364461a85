"""Size solver: from a number of parameters to a denoiser that trains well in minutes."""

import math
from typing import Any

from architectures import sizing
from architectures.d3pm.config import Config

_USUAL_RATIO = {"transformer": 4.0, "lstm": 1.5}  # hidden over width


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration nearest to `target` parameters.

    Among those within 1 % the one whose hidden size is nearest to its usual ratio wins; fields
    in `fixed` stay as given. Raises ValueError where none is within 3 %.
    """
    depth = fixed.get("depth", _depth_for(target, fixed.get("denoiser", "transformer")))
    given: dict[str, Any] = {
        "vocab": vocab,
        "depth": depth,
        "value_tables": min(depth, sizing.num_tables_for(target)),
        "num_common": sizing.num_common_for(vocab),
        **fixed,
    }

    def smallest(width: int) -> Config | None:
        heads = given.get("heads") or sizing.heads_for(width)
        if width % heads and "width" not in given:
            return None
        return Config(**{"width": width, "heads": heads, "hidden": 8, **given})

    return sizing.solve(smallest, target, given, _penalty)


def _depth_for(target: int, denoiser: str) -> int:
    if denoiser == "lstm":
        return 1 if target < 500_000 else 2
    return sizing.transformer_depth_for(target)


def _penalty(config: Config) -> float:
    penalty = abs(math.log(config.hidden / (_USUAL_RATIO[config.denoiser] * config.width)))
    # Products of multiples of 32 run at full vector width.
    return penalty + (0.15 if config.width % 32 else 0.0) + (0.05 if config.hidden % 16 else 0.0)
