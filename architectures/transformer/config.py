"""The transformer's configuration, recipes, sizes, initial weights and FLOP."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from architectures import hashed_ngrams, networks

LIKELIHOOD = "exact"
PARAM_GROUPS = (
    *hashed_ngrams.GROUPS,
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
class Config(networks.NetworkConfig):
    """Shape of the model; heads divide width, and rotary positions need an even head size."""

    TABLES: ClassVar = ("embed.", "positions.", "values.", "head.", hashed_ngrams.TABLES)

    SIZED_TABLES: ClassVar = ("input_bigrams", "value_bigrams")

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
    input_bigrams: int = 0  # rows of a table of hashed bigrams, added to the embedding
    input_trigrams: int = 0
    value_bigrams: int = 0  # the same, added to the values of the last layer's attention
    value_trigrams: int = 0
    table_width: int = 0  # numbers of a row of these tables; 0: as the model

    def __post_init__(self) -> None:
        networks.check_positive(self, "vocab", "context", "width", "depth", "heads", "hidden")
        networks.check_heads(self.width, self.heads, is_rotary=self.positions == "rotary")
        networks.check_tables(self, "value_tables")
        hashed_ngrams.check(self)

    def shapes(self) -> Iterator[tuple[str, networks.Shape]]:
        """Name and shape of every parameter."""
        D, H, V = self.width, self.hidden, self.vocab
        norm_parts = ("weight", "bias") if self.norm == "layer" else ()
        yield "embed.weight", (V, D)
        if self.positions == "learned":
            yield "positions.weight", (self.context, D)
        if self.token_shift:
            yield "shift", (D,)
        yield from ((f"values.{i}.weight", (V, D)) for i in range(self.value_tables))
        for i in range(self.depth):
            block = f"blocks.{i}"
            if self.skip_scales:
                yield f"{block}.skip_scales", (2,)
            if self.token_shift:
                yield f"{block}.attention_shift", (D,)
                yield f"{block}.mlp_shift", (D,)
            for norm in ("attention_norm", "mlp_norm"):
                yield from ((f"{block}.{norm}.{part}", (D,)) for part in norm_parts)
            for part in ("query", "key", "value", "out"):
                yield f"{block}.attention.{part}.weight", (D, D)
            if self.mlp == "swiglu":
                yield f"{block}.mlp.gate.weight", (H, D)
            yield f"{block}.mlp.up.weight", (H, D)
            yield f"{block}.mlp.down.weight", (D, H)
        yield from ((f"norm.{part}", (D,)) for part in norm_parts)
        if not self.tied:
            yield "head.weight", (V, D)
        if self.num_common:
            yield "rare", (1, D)
        yield from hashed_ngrams.shapes(self)


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, the same for every framework."""
    return networks.drawn(config.shapes(), [seed, 0x7472], functools.partial(_drawn, config))


def _drawn(
    config: Config, name: str, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.floating]:
    if name.endswith("skip_scales"):
        return np.array([1.0, 0.0])
    if name.endswith("norm.weight"):
        return np.ones(shape)
    if name.endswith(("shift", "bias", "rare")) or name.startswith(hashed_ngrams.TABLES):
        return np.zeros(shape, np.float32)
    std = 0.02
    is_branch_end = name.endswith(("out.weight", "down.weight"))
    if config.init == "gpt2" and is_branch_end:
        std = 0.02 / math.sqrt(2 * config.depth)
    elif config.init == "fan_in" and name.startswith(("blocks.", "ngram_projections.")):
        std = 0.0 if is_branch_end else 0.5 / math.sqrt(shape[1])
    return rng.normal(0.0, std, shape)


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
    given = {"num_common": networks.num_common_for(vocab), **PRESETS[name], **fixed}
    return Config(vocab=vocab, **given)


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration nearest to `target` parameters, two to four blocks deep.

    Among those within 1 % the one whose MLP is nearest to its usual ratio wins; fields in
    `fixed` stay as given. Raises ValueError where none is within 3 %.
    """
    depth = fixed.get("depth", networks.transformer_depth_for(target))
    given = networks.defaults(target, vocab, depth, "value_tables", two_from=900_000)
    return networks.solve(Config, target, {**given, **fixed}, _penalty)


def _penalty(config: Config) -> float:
    """Distance of the MLP from its usual ratio, and the cost of odd widths.

    Products and the loops between them run at full vector width on multiples of 32. Beside value
    tables, which know much by heart, a narrower MLP does, and pays for such a width.
    """
    usual = 8 / 3 if config.mlp == "swiglu" else 3.0 if config.value_tables else 4.0
    odd_width = 0.3 if config.value_tables else 0.15
    penalty = abs(math.log(config.hidden / (usual * config.width)))
    penalty += odd_width if config.width % 32 else 0.0
    return penalty + (0.05 if config.hidden % 16 else 0.0)


def forward_flops(config: Config, tail_share: float) -> dict[str, float]:
    """FLOP per token of every matrix product, by part, averaged over a full context.

    Two for every weight. Attention's own products, queries by keys and weights by values, cost
    4 D for each position that is seen, and a causal position sees (T + 1) / 2 of T in the mean.
    `tail_share` of the targets need the tail of a softmax of two levels.
    """
    D, L = config.width, config.depth
    return {
        "projections": L * 2.0 * 4 * D * D,
        "attention": L * 4.0 * D * (config.context + 1) / 2,
        "mlp": L * 2.0 * (3 if config.mlp == "swiglu" else 2) * D * config.hidden,
        "tables": hashed_ngrams.projection_flops(config),
        "output": networks.lm_head_flops(D, config.vocab, config.num_common, tail_share),
    }
