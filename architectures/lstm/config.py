"""Configuration, recipe and initial weights of the LSTM."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from architectures import initial_weights, sizing

LIKELIHOOD = "exact"
PARAM_GROUPS = (
    ("embed.*", "embedding"),
    ("token_scales.*", "embedding"),
    ("layers.*.weight_x.*", "matrix"),
    ("layers.*.weight_h.*", "matrix"),
    ("layers.*.out.weight", "matrix"),
    ("*", "vector"),
)
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {
        "model": {},
        "recipe": {
            "optimizer": "muon",
            "lr": 0.014,
            "lr_matrix": 0.02,
            "eps": 1e-10,
            "schedule": "trapezoid",
            "cooldown": 0.6,
            "batch_rows": 16,
        },
    }
}
GATES = ("i", "f", "g", "o")  # input, forget, cell, output: the order in PyTorch and in MLX
TABLE_SCALE = 10.0  # token scales are drawn at 0.02 and read at 1: AdamW moves them faster
_FORGET_BIAS = 1.0  # remember until taught otherwise (Jozefowicz et al. 2015)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shape of the model: a stream of `width` channels, recurrences of `hidden` beside it."""

    vocab: int = 4096
    context: int = 256
    width: int = 120  # of the embedding, which is the output's too, and of the stream
    depth: int = 2
    hidden: int = 192  # of the recurrence; a projection leads back to the stream
    token_scales: int = 2  # of the last layers, tables that scale by token what a layer adds
    token_shift: bool = True  # the embedding also reads the token before, scaled per channel
    skip_scales: bool = True  # layers read a learnt mix of stream and embedding
    num_common: int = 1024  # ids in the first softmax of two; 0: one softmax

    def __post_init__(self) -> None:
        sizing.check_positive(self, "vocab", "context", "width", "depth", "hidden")
        sizing.check_tables(self, "token_scales")

    @property
    def num_params(self) -> int:
        """Trainable parameters, the tied output counted once."""
        return sizing.num_params(shapes(self))

    @property
    def num_params_non_embedding(self) -> int:
        """Without the tables that tokens are looked up in."""
        return sizing.num_params(shapes(self), without=("embed.", "token_scales."))


def shapes(config: Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter; matrices a gate each, which Muon likes better."""
    D, H, V = config.width, config.hidden, config.vocab
    yield "embed.weight", (V, D)
    if config.token_shift:
        yield "shift", (D,)
    yield from ((f"token_scales.{i}.weight", (V, D)) for i in range(config.token_scales))
    for i in range(config.depth):
        layer = f"layers.{i}"
        if config.skip_scales:
            yield f"{layer}.skip_scales", (2,)
        yield from ((f"{layer}.weight_x.{gate}", (H, D)) for gate in GATES)
        yield from ((f"{layer}.weight_h.{gate}", (H, H)) for gate in GATES)
        yield f"{layer}.bias", (len(GATES) * H,)
        yield f"{layer}.out.weight", (D, H)
    if config.num_common:
        yield "rare", (1, D)


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, the same for every framework."""
    rng = np.random.default_rng([seed, 0x6C73])  # a stream of its own beside data and noise
    return {name: _drawn(name, shape, rng).astype(np.float32) for name, shape in shapes(config)}


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    if name.endswith("skip_scales"):
        return np.array([1.0, 0.0])
    if name.endswith(".bias"):
        bias_GH = np.zeros((len(GATES), shape[0] // len(GATES)))
        bias_GH[GATES.index("f")] = _FORGET_BIAS
        return bias_GH.ravel()
    if name.endswith(("shift", "rare", "out.weight")):  # layers start by adding nothing
        return np.zeros(shape)
    if ".weight_h." in name:
        return initial_weights.orthogonal(shape[0], rng)
    if ".weight_x." in name:
        return rng.normal(0.0, 0.5 / math.sqrt(shape[1]), shape)
    return rng.normal(0.0, 0.02, shape)
