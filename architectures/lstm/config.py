"""The LSTM's configuration, recipe, sizes, initial weights and FLOP."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from architectures import hashed_ngrams, networks

LIKELIHOOD = "exact"
PARAM_GROUPS = (
    *hashed_ngrams.GROUPS,
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
_USUAL_RATIO = 1.6  # hidden / width
_FORGET_BIAS = 1.0  # remember until taught otherwise (Jozefowicz et al. 2015)


@dataclass(frozen=True, kw_only=True)
class Config(networks.NetworkConfig):
    """Shape of the model: a stream of `width` channels, recurrences of `hidden` beside it."""

    TABLES: ClassVar = ("embed.", "token_scales.", hashed_ngrams.TABLES)

    vocab: int = 4096
    context: int = 256
    width: int = 120  # of the embedding, which is the output's too, and of the stream
    depth: int = 2
    hidden: int = 192  # of the recurrence; a projection leads back to the stream
    token_scales: int = 2  # of the last layers, tables that scale by token what a layer adds
    token_shift: bool = True  # the embedding also reads the token before, scaled per channel
    skip_scales: bool = True  # layers read a learnt mix of stream and embedding
    num_common: int = 1024  # ids in the first softmax of two; 0: one softmax
    input_bigrams: int = 0  # rows of a table of hashed bigrams, added to the embedding
    input_trigrams: int = 0
    table_width: int = 0  # numbers of a row of these tables; 0: as the embedding

    def __post_init__(self) -> None:
        networks.check_positive(self, "vocab", "context", "width", "depth", "hidden")
        networks.check_tables(self, "token_scales")
        hashed_ngrams.check(self)

    def shapes(self) -> Iterator[tuple[str, networks.Shape]]:
        """Name and shape of every parameter; matrices a gate each, which Muon likes better."""
        D, H, V = self.width, self.hidden, self.vocab
        yield "embed.weight", (V, D)
        if self.token_shift:
            yield "shift", (D,)
        yield from ((f"token_scales.{i}.weight", (V, D)) for i in range(self.token_scales))
        for i in range(self.depth):
            layer = f"layers.{i}"
            if self.skip_scales:
                yield f"{layer}.skip_scales", (2,)
            yield from ((f"{layer}.weight_x.{gate}", (H, D)) for gate in GATES)
            yield from ((f"{layer}.weight_h.{gate}", (H, H)) for gate in GATES)
            yield f"{layer}.bias", (len(GATES) * H,)
            yield f"{layer}.out.weight", (D, H)
        if self.num_common:
            yield "rare", (1, D)
        yield from hashed_ngrams.shapes(self)


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Initial weights by name, the same for every framework."""
    return networks.drawn(config.shapes(), [seed, 0x6C73], _drawn)


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.floating]:
    if name.endswith("skip_scales"):
        return np.array([1.0, 0.0])
    if name.endswith(".bias"):
        return np.repeat([0.0, _FORGET_BIAS, 0.0, 0.0], shape[0] // len(GATES))
    # Layers and tables of n-grams start by adding nothing.
    if name.endswith(("shift", "rare", "out.weight")) or name.startswith(hashed_ngrams.TABLES):
        return np.zeros(shape, np.float32)
    if ".weight_h." in name:
        return networks.orthogonal(shape[0], rng)
    if ".weight_x." in name or name.startswith("ngram_projections."):
        return rng.normal(0.0, 0.5 / math.sqrt(shape[1]), shape)
    return rng.normal(0.0, 0.02, shape)


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration nearest to `target` parameters, one or two layers deep.

    Among those within 1 % the one nearest to the usual ratio of hidden size to width wins;
    fields in `fixed` stay as given. Raises ValueError where none is within 3 %.
    """
    depth = fixed.get("depth", 1 if target < 500_000 else 2)
    given = {**networks.defaults(target, vocab, depth, "token_scales"), **fixed}
    return networks.solve(Config, target, given, _penalty, hidden_steps=(16, 8, 1))


def _penalty(config: Config) -> float:
    penalty = abs(math.log(config.hidden / (_USUAL_RATIO * config.width)))
    # Products of multiples of 16 run at full vector width.
    return penalty + (0.15 if config.hidden % 16 else 0.0) + (0.05 if config.width % 16 else 0.0)


def forward_flops(config: Config, tail_share: float) -> dict[str, float]:
    """FLOP per token of every matrix product, by part: two for every weight.

    `tail_share` of the targets need the tail of a softmax of two levels.
    """
    D, H, L = config.width, config.hidden, config.depth
    return {
        "gates": L * 2.0 * 4 * H * (D + H),
        "projections": L * 2.0 * D * H,
        "tables": hashed_ngrams.projection_flops(config),
        "output": networks.lm_head_flops(D, config.vocab, config.num_common, tail_share),
    }
