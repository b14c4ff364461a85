"""Size solver: from a number of parameters to an LSTM that trains well in minutes."""

import math
from typing import Any

from architectures import sizing
from architectures.lstm.config import Config

_USUAL_RATIO = 1.6  # hidden / width


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration nearest to `target` parameters, one or two layers deep.

    Among those within 1 % the one nearest to the usual ratio of hidden size to width wins;
    fields in `fixed` stay as given. Raises ValueError where none is within 3 %.
    """
    depth = fixed.get("depth", 1 if target < 500_000 else 2)
    given: dict[str, Any] = {
        "vocab": vocab,
        "depth": depth,
        "token_scales": max(0, min(depth, sizing.num_tables_for(target))),
        "num_common": sizing.num_common_for(vocab),
        **fixed,
    }

    def smallest(width: int) -> Config:
        return Config(**{"width": width, "hidden": 8, **given})

    return sizing.solve(smallest, target, given, _penalty, hidden_steps=(16, 8, 1))


def _penalty(config: Config) -> float:
    penalty = abs(math.log(config.hidden / (_USUAL_RATIO * config.width)))
    # Products of multiples of 16 run at full vector width.
    return penalty + (0.15 if config.hidden % 16 else 0.0) + (0.05 if config.width % 16 else 0.0)
