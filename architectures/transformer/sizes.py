"""Size solver and presets: from a number of parameters, or a name, to a transformer."""

import math
from typing import Any

from architectures import sizing
from architectures.transformer.config import Config

# Shapes that others publish as 5M, 17M and 85M, `--params tiny` and so on: plain ones, without
# value tables, so that their counts compare; the tables are `--set model.value_tables=2`.
PRESETS: dict[str, dict[str, Any]] = {
    name: {
        "width": width,
        "heads": heads,
        "depth": depth,
        "hidden": 4 * width,
        "context": context,
        "value_tables": 0,
    }
    for name, width, heads, depth, context in (
        ("tiny", 192, 6, 6, 256),
        ("small", 384, 6, 8, 512),
        ("medium", 768, 12, 12, 1024),
    )
}


def for_preset(name: str, vocab: int, **fixed: Any) -> Config:
    """The shape of a preset; the softmax has two levels where a vocabulary is worth it."""
    given = {"num_common": sizing.num_common_for(vocab), **PRESETS[name], **fixed}
    return Config(vocab=vocab, **given)


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration nearest to `target` parameters, two to four blocks deep.

    Among those within 1 % the one whose MLP is nearest to its usual ratio wins; fields in
    `fixed` stay as given. Raises ValueError where none is within 3 %.
    """
    depth = fixed.get("depth", sizing.transformer_depth_for(target))
    given: dict[str, Any] = {
        "vocab": vocab,
        "depth": depth,
        "value_tables": min(depth, sizing.num_tables_for(target)),
        "num_common": sizing.num_common_for(vocab),
        **fixed,
    }

    def smallest(width: int) -> Config | None:
        heads = given["heads"] if "heads" in given else sizing.heads_for(width)
        if width % heads and "width" not in given:
            return None
        return Config(**{"width": width, "heads": heads, "hidden": 8, **given})

    return sizing.solve(smallest, target, given, _penalty)


def _penalty(config: Config) -> float:
    """How far the MLP is from its usual ratio, and what odd widths cost.

    Products and the loops between them run at full vector width on multiples of 32. Beside value
    tables, which know much by heart, a narrower MLP does, and pays for such a width.
    """
    usual = 8 / 3 if config.mlp == "swiglu" else 3.0 if config.value_tables else 4.0
    odd_width = 0.3 if config.value_tables else 0.15
    penalty = abs(math.log(config.hidden / (usual * config.width)))
    penalty += odd_width if config.width % 32 else 0.0
    return penalty + (0.05 if config.hidden % 16 else 0.0)
