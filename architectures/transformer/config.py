"""Configuration, recipes and initial weights of the transformer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from architectures import sizing

LIKELIHOOD = "exact"
PARAM_GROUPS = (
    ("embed.*", "embedding"),
    ("positions.*", "embedding"),
    ("values.*", "embedding"),
    ("head.*", "embedding"),
    ("blocks.*.attention.*", "matrix"),
    ("blocks.*.mlp.*", "matrix"),
    ("*", "vector"),
)
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {
        "model": {},
        "recipe": {
            "optimizer": "muon",
            "lr": 0.014,
            "lr_matrix": 0.03,
            "beta1": 0.8,
            "beta2": 0.99,
            "eps": 1e-10,
            "schedule": "trapezoid",
            "cooldown": 0.6,
            "lr_floor": 0.05,
            "batch_rows": 16,
        },
    },
    # The published five-minute laptop recipe, as a yardstick: GPT-2 style, SwiGLU, learned
    # positions, three layers, AdamW, fp32, no accumulation (seangoedecke.com/model-on-a-mbp).
    "goedecke": {
        "model": {
            "depth": 3,
            "mlp": "swiglu",
            "positions": "learned",
            "norm": "layer",
            "init": "gpt2",
            "qk_norm": False,
            "value_tables": 0,
            "token_shift": False,
            "skip_scales": False,
            "num_common": 0,
        },
        "recipe": {
            "optimizer": "adamw",
            "lr": 1.5e-3,
            "weight_decay": 0.1,
            "schedule": "cosine",
            "warmup": 0.02,
            "cooldown": 0.0,
            "batch_rows": 4,
            "precision": "fp32",
            "compile": False,
        },
    },
}
VALUE_SCALE = 50.0  # value tables are drawn at 0.02 and read at 1: AdamW moves them faster


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shape of the model; heads divide width, and rotary positions need an even head size."""

    vocab: int = 4096
    context: int = 256
    width: int = 128
    depth: int = 3
    heads: int = 2
    hidden: int = 296  # of the MLP
    mlp: Literal["swiglu", "gelu", "relu2"] = "relu2"
    positions: Literal["rotary", "learned"] = "rotary"
    norm: Literal["rms", "layer"] = "rms"  # rms: without gains, on the embedding too
    init: Literal["fan_in", "gpt2"] = "fan_in"  # fan_in: and residual branches start at zero
    tied: bool = True  # output weights are the embedding's
    qk_norm: bool = True
    value_tables: int = 2  # of the last layers, token embeddings added to attention's values
    token_shift: bool = True  # every branch also reads the token before, scaled per channel
    skip_scales: bool = True  # blocks read a learnt mix of stream and embedding
    num_common: int = 1024  # ids in the first softmax of two; 0: one softmax

    def __post_init__(self) -> None:
        sizing.check_positive(self, "vocab", "context", "width", "depth", "heads", "hidden")
        sizing.check_heads(self.width, self.heads, is_rotary=self.positions == "rotary")
        sizing.check_tables(self, "value_tables")

    @property
    def num_params(self) -> int:
        """Trainable parameters, a tied output counted once."""
        return sizing.num_params(shapes(self))

    @property
    def num_params_non_embedding(self) -> int:
        """Without the tables that tokens and positions are looked up in, and the output's."""
        return sizing.num_params(shapes(self), without=("embed.", "positions.", "values.", "head."))


def shapes(config: Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter."""
    D, H, V = config.width, config.hidden, config.vocab
    norm_parts = ("weight", "bias") if config.norm == "layer" else ()
    yield "embed.weight", (V, D)
    if config.positions == "learned":
        yield "positions.weight", (config.context, D)
    if config.token_shift:
        yield "shift", (D,)
    yield from ((f"values.{i}.weight", (V, D)) for i in range(config.value_tables))
    for i in range(config.depth):
        block = f"blocks.{i}"
        if config.skip_scales:
            yield f"{block}.skip_scales", (2,)
        if config.token_shift:
            yield f"{block}.attention_shift", (D,)
            yield f"{block}.mlp_shift", (D,)
        for norm in ("attention_norm", "mlp_norm"):
            yield from ((f"{block}.{norm}.{part}", (D,)) for part in norm_parts)
        for part in ("query", "key", "value", "out"):
            yield f"{block}.attention.{part}.weight", (D, D)
        if config.mlp == "swiglu":
            yield f"{block}.mlp.gate.weight", (H, D)
        yield f"{block}.mlp.up.weight", (H, D)
        yield f"{block}.mlp.down.weight", (D, H)
    yield from ((f"norm.{part}", (D,)) for part in norm_parts)
    if not config.tied:
        yield "head.weight", (V, D)
    if config.num_common:
        yield "rare", (1, D)


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, the same for every framework."""
    rng = np.random.default_rng([seed, 0x7472])  # a stream of its own beside data and noise
    return {
        name: _drawn(config, name, shape, rng).astype(np.float32) for name, shape in shapes(config)
    }


def _drawn(
    config: Config, name: str, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    if name.endswith("skip_scales"):
        return np.array([1.0, 0.0])
    if name.endswith("norm.weight"):
        return np.ones(shape)
    if name.endswith(("shift", "bias", "rare")):
        return np.zeros(shape)
    std = 0.02
    is_branch_end = name.endswith(("out.weight", "down.weight"))
    if config.init == "gpt2" and is_branch_end:
        std = 0.02 / math.sqrt(2 * config.depth)
    elif config.init == "fan_in" and name.startswith("blocks."):
        std = 0.0 if is_branch_end else 0.5 / math.sqrt(shape[1])
    return rng.normal(0.0, std, shape)
