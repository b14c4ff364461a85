"""Configuration, recipe, sizes, initial weights and FLOP of D3PM."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from architectures import hashed_ngrams, networks

LIKELIHOOD = "bound"
PARAM_GROUPS = (
    *hashed_ngrams.GROUPS,
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
_USUAL_RATIO = {"transformer": 4.0, "lstm": 1.5}  # hidden over width


@dataclass(frozen=True, kw_only=True)
class Config(networks.NetworkConfig):
    """Noise process and denoiser; heads divide width, and rotary positions need an even head."""

    TABLES: ClassVar = ("embed.", "values.", hashed_ngrams.TABLES)

    SIZED_TABLES: ClassVar = ("input_bigrams", "input_trigrams")

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
    input_bigrams: int = 0  # rows of a table of hashed pairs of noisy symbols, added to the input
    input_trigrams: int = 0  # the same of a symbol between its neighbours
    table_width: int = 0  # numbers of a row of these tables; 0: as the model

    def __post_init__(self) -> None:
        networks.check_positive(self, "vocab", "context", "width", "depth", "heads", "hidden")
        if not 1 <= self.num_steps <= MAX_STEPS:
            raise ValueError(f"model.num_steps={self.num_steps}: allowed are 1 to {MAX_STEPS}")
        if self.bound_weight < 0 or self.auxiliary < 0:
            raise ValueError("model.bound_weight and model.auxiliary: must be 0 or more")
        if self.bound_weight + self.auxiliary == 0:
            raise ValueError("model.bound_weight and model.auxiliary: one must be above 0")
        if self.mixing < 1 or self.mixing % 2 == 0:
            raise ValueError(f"model.mixing={self.mixing}: must be odd, 1 (none) or more")
        networks.check_tables(self, "value_tables")
        hashed_ngrams.check(self)
        if self.denoiser == "transformer":
            networks.check_heads(self.width, self.heads, is_rotary=True)

    @property
    def num_symbols(self) -> int:
        """Number of input symbols: the vocabulary and, for the absorbing transition, the mask."""
        return self.vocab + (self.transition == "absorbing")

    def shapes(self) -> Iterator[tuple[str, networks.Shape]]:
        """Name and shape of every parameter."""
        D, S, M = self.width, self.num_symbols, self.mixing
        yield "embed.weight", (S, D)
        yield "time.weight", (D, TIME_FEATURES)
        yield "mixing", (M, D)
        yield from ((f"values.{i}.weight", (S, D)) for i in range(self.value_tables))
        is_transformer = self.denoiser == "transformer"
        for i in range(self.depth):
            layer = f"blocks.{i}" if is_transformer else f"layers.{i}"
            yield f"{layer}.skip_scales", (2,)
            yield f"{layer}.time.weight", (D, TIME_FEATURES)
            parts = self._block_shapes() if is_transformer else self._recurrent_shapes()
            yield from ((f"{layer}.{part}", shape) for part, shape in parts)
        if self.num_common:
            yield "rare", (1, D)
        yield from hashed_ngrams.shapes(self)

    def _block_shapes(self) -> Iterator[tuple[str, networks.Shape]]:
        D, H = self.width, self.hidden
        yield "attention_mixing", (self.mixing, D)
        yield "mlp_mixing", (self.mixing, D)
        yield from ((f"attention.{m}.weight", (D, D)) for m in ("query", "key", "value", "out"))
        yield "mlp.up.weight", (H, D)
        yield "mlp.down.weight", (D, H)

    def _recurrent_shapes(self) -> Iterator[tuple[str, networks.Shape]]:
        D, H = self.width, self.hidden
        yield "mixing", (self.mixing, D)
        for direction in ("right", "left"):
            yield f"{direction}.weight_x", (4 * H, D)
            yield f"{direction}.weight_h", (4 * H, H)
            yield f"{direction}.bias", (4 * H,)
        yield "out.weight", (D, 2 * H)


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, the same for every framework."""
    return networks.drawn(config.shapes(), [seed, 0xD3], _drawn)


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.floating]:
    part = name.rpartition(".")[2]
    if part == "skip_scales":
        return np.array([1.0, 0.0])
    if part.endswith("mixing"):
        centre = np.zeros(shape)
        centre[shape[0] // 2] = 1.0
        return centre
    if part == "bias":  # gates in the order input, forget, cell, output; forgets little at first
        return np.repeat([0.0, 1.0, 0.0, 0.0], shape[0] // 4)
    if part == "rare" or name.endswith("time.weight") or name.startswith(hashed_ngrams.TABLES):
        return np.zeros(shape, np.float32)
    if part == "weight_h":
        return np.concatenate([networks.orthogonal(shape[1], rng) for _ in range(4)])
    if name.startswith(("embed.", "values.")):
        return rng.normal(0.0, 0.02, shape)
    if name.endswith(("out.weight", "down.weight")):
        return np.zeros(shape, np.float32)
    return rng.normal(0.0, 0.5 / math.sqrt(shape[1]), shape)


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration nearest to `target` parameters.

    Among those within 1 % the one whose hidden size is nearest to its usual ratio wins; fields
    in `fixed` stay as given. Raises ValueError where none is within 3 %.
    """
    usual = networks.transformer_depth_for(target)
    if fixed.get("denoiser") == "lstm":
        usual = 1 if target < 500_000 else 2
    depth = fixed.get("depth", usual)
    given = {**networks.defaults(target, vocab, depth, "value_tables"), **fixed}
    return networks.solve(Config, target, given, _penalty)


def _penalty(config: Config) -> float:
    penalty = abs(math.log(config.hidden / (_USUAL_RATIO[config.denoiser] * config.width)))
    # Products of multiples of 32 run at full vector width.
    return penalty + (0.15 if config.width % 32 else 0.0) + (0.05 if config.hidden % 16 else 0.0)


def forward_flops(config: Config, tail_share: float) -> dict[str, float]:
    """FLOP per target of every matrix product, by part, the output where the loss has a term.

    All T + 1 positions are read, each seeing all of them. The absorbing transition has terms at
    the noisy ones, (S + 1) / 2S of them in the mean over S even steps, the uniform one at all.
    `tail_share` of the targets need the tail of a softmax of two levels.
    """
    D, H, L, T, S = config.width, config.hidden, config.depth, config.context, config.num_steps
    if config.denoiser == "transformer":
        parts = {
            "projections": L * 2.0 * 4 * D * D,
            "attention": L * 4.0 * D * (T + 1),
            "mlp": L * 2.0 * 2 * D * H,
        }
    else:
        parts = {"gates": L * 2.0 * 2 * 4 * H * (D + H), "projections": L * 2.0 * 2 * D * H}
    parts["tables"] = hashed_ngrams.projection_flops(config)
    read = {name: flop * (T + 1) / T for name, flop in parts.items()}
    output = 0.0
    if config.auxiliary:
        output += networks.lm_head_flops(D, config.vocab, config.num_common, tail_share)
    if config.bound_weight:  # its terms need the probabilities of all ids
        output += networks.lm_head_flops(D, config.vocab, config.num_common, 1.0)
    active = (S + 1) / (2 * S) if config.transition == "absorbing" else 1.0
    time = (L + 1) * 2.0 * TIME_FEATURES * D / T  # once a row
    return read | {"time": time, "output": active * output}
