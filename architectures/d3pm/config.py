"""Configuration, recipe and initial weights of D3PM."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from architectures import initial_weights, sizing

LIKELIHOOD = "bound"
PARAM_GROUPS = (
    ("embed.*", "embedding"),
    ("values.*", "embedding"),
    ("blocks.*.attention.*", "matrix"),
    ("blocks.*.mlp.*", "matrix"),
    ("layers.*.weight_*", "matrix"),
    ("layers.*.out.weight", "matrix"),
    ("*", "vector"),
)
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {
        "model": {},
        "recipe": {
            "optimizer": "muon",
            "lr": 0.014,
            "lr_matrix": 0.03,
            "eps": 1e-10,
            "schedule": "trapezoid",
            "cooldown": 0.6,
            "batch_rows": 16,
        },
    }
}
VALUE_SCALE = 50.0  # value tables are drawn at 0.02 and read at 1: AdamW moves them faster
TIME_FEATURES = 16  # sines and cosines of the share of noise
MAX_STEPS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Config:
    """Noise process and denoiser; heads divide width, and rotary positions need an even head."""

    vocab: int = 4096
    context: int = 256
    transition: Literal["absorbing", "uniform"] = "absorbing"
    num_steps: int = 1000  # T of the noise process; training and scoring cost the same at any
    bound_weight: float = 0.0  # of the variational bound in the training loss
    auxiliary: float = 1.0  # of the cross-entropy of clean tokens in the training loss
    denoiser: Literal["transformer", "lstm"] = "transformer"
    width: int = 120
    depth: int = 3
    heads: int = 2  # transformer
    hidden: int = 480  # transformer: of the MLP; lstm: state of each direction
    mixing: int = 5  # places in the depthwise convolution before every branch; odd
    value_tables: int = 2  # of the last layers, token embeddings added to what a layer mixes
    num_common: int = 1024  # ids in the first softmax of two; 0: one softmax

    def __post_init__(self) -> None:
        sizing.check_positive(self, "vocab", "context", "width", "depth", "heads", "hidden")
        if not 1 <= self.num_steps <= MAX_STEPS:
            raise ValueError(f"model.num_steps={self.num_steps}: allowed are 1 to {MAX_STEPS}")
        if self.bound_weight < 0 or self.auxiliary < 0:
            raise ValueError("model.bound_weight and model.auxiliary: must be 0 or more")
        if self.bound_weight + self.auxiliary == 0:
            raise ValueError("model.bound_weight and model.auxiliary: one must be above 0")
        if self.mixing < 1 or self.mixing % 2 == 0:
            raise ValueError(f"model.mixing={self.mixing}: must be odd, 1 (none) or more")
        sizing.check_tables(self, "value_tables")
        if self.denoiser == "transformer":
            sizing.check_heads(self.width, self.heads, is_rotary=True)

    @property
    def num_symbols(self) -> int:
        """Number of input symbols: the vocabulary and, for the absorbing transition, the mask."""
        return self.vocab + (self.transition == "absorbing")

    @property
    def num_params(self) -> int:
        """Trainable parameters, the tied output counted once."""
        return sizing.num_params(shapes(self))

    @property
    def num_params_non_embedding(self) -> int:
        """Without the tables that tokens are looked up in."""
        return sizing.num_params(shapes(self), without=("embed.", "values."))


def shapes(config: Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter."""
    D, H, S, M = config.width, config.hidden, config.num_symbols, config.mixing
    yield "embed.weight", (S, D)
    yield "time.weight", (D, TIME_FEATURES)
    yield "mixing", (M, D)
    yield from ((f"values.{i}.weight", (S, D)) for i in range(config.value_tables))
    for i in range(config.depth):
        if config.denoiser == "transformer":
            block = f"blocks.{i}"
            yield f"{block}.skip_scales", (2,)
            yield f"{block}.time.weight", (D, TIME_FEATURES)
            yield f"{block}.attention_mixing", (M, D)
            yield f"{block}.mlp_mixing", (M, D)
            for part in ("query", "key", "value", "out"):
                yield f"{block}.attention.{part}.weight", (D, D)
            yield f"{block}.mlp.up.weight", (H, D)
            yield f"{block}.mlp.down.weight", (D, H)
        else:
            layer = f"layers.{i}"
            yield f"{layer}.skip_scales", (2,)
            yield f"{layer}.time.weight", (D, TIME_FEATURES)
            yield f"{layer}.mixing", (M, D)
            for direction in ("right", "left"):
                yield f"{layer}.{direction}.weight_x", (4 * H, D)
                yield f"{layer}.{direction}.weight_h", (4 * H, H)
                yield f"{layer}.{direction}.bias", (4 * H,)
            yield f"{layer}.out.weight", (D, 2 * H)
    if config.num_common:
        yield "rare", (1, D)


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, the same for every framework."""
    rng = np.random.default_rng([seed, 0xD3])  # a stream of its own beside data and noise
    return {name: _drawn(name, shape, rng).astype(np.float32) for name, shape in shapes(config)}


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    part = name.rpartition(".")[2]
    if part == "skip_scales":
        return np.array([1.0, 0.0])
    if part.endswith("mixing"):
        centre = np.zeros(shape)
        centre[shape[0] // 2] = 1.0
        return centre
    if part == "bias":  # gates in the order input, forget, cell, output; forgets little at first
        return np.repeat([0.0, 1.0, 0.0, 0.0], shape[0] // 4)
    if part == "rare" or name.endswith("time.weight"):
        return np.zeros(shape)
    if part == "weight_h":
        return np.concatenate([initial_weights.orthogonal(shape[1], rng) for _ in range(4)])
    if name.startswith(("embed.", "values.")):
        return rng.normal(0.0, 0.02, shape)
    if name.endswith(("out.weight", "down.weight")):
        return np.zeros(shape)
    return rng.normal(0.0, 0.5 / math.sqrt(shape[1]), shape)
