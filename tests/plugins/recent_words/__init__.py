"""Bags of recent words, each fading at a speed of its own, and an MLP over them.

An architecture that the project does not know: it stands outside `architectures/`, as anybody's
would, and only the tests race it.
"""

import math
from dataclasses import dataclass

import numpy as np

LIKELIHOOD = "exact"
PARAM_GROUPS = (("embed.*", "embedding"), ("*.weight", "matrix"), ("*", "vector"))
RECIPES = {
    "default": {"model": {}, "recipe": {"lr": 0.01, "lr_matrix": 0.02}},
    "adamw": {"recipe": {"optimizer": "adamw", "lr": 0.005}},
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """`num_bags` must divide `width`."""

    vocab: int = 4096
    context: int = 128
    width: int = 64
    num_bags: int = 4

    def __post_init__(self) -> None:
        if self.num_bags < 1 or self.width % self.num_bags:
            raise ValueError(
                f"model.num_bags={self.num_bags}: must divide model.width={self.width}"
            )

    @property
    def num_params(self) -> int:
        return sum(math.prod(shape) for shape in shapes(self).values())

    @property
    def num_params_non_embedding(self) -> int:
        return self.num_params - self.vocab * self.width


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    D = config.width
    return {
        "embed.weight": (config.vocab, D),
        "speeds": (config.num_bags,),
        "up.weight": (4 * D, 2 * D),
        "down.weight": (D, 4 * D),
    }


def initial(config: Config, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, 0xBA6])
    drawn = {
        name: rng.normal(0, 0.02 if name == "embed.weight" else shape[-1] ** -0.5, shape)
        for name, shape in shapes(config).items()
    }
    drawn["speeds"] = np.linspace(-2.0, 3.0, config.num_bags)
    return {name: value.astype(np.float32) for name, value in drawn.items()}


def for_params(target: int, vocab: int, **fixed) -> Config:
    """Width steps by the number of bags."""
    if "width" in fixed:
        return Config(vocab=vocab, **fixed)
    step = max(1, fixed.get("num_bags", Config.num_bags))
    sizes = (Config(vocab=vocab, width=width, **fixed) for width in range(step, 4096, step))
    return min(sizes, key=lambda config: abs(config.num_params - target))
