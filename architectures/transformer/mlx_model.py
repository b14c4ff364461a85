"""The transformer in MLX, the twin of `torch_model.py`.

Shapes: B rows, T positions, S positions so far, D width, N heads, K head size, V vocab.
"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn

from architectures.mlx_layers import (
    MLP,
    NgramProjections,
    NgramTables,
    Projections,
    RMSNorm,
    appended,
    by_name,
    plus,
    rms_norm,
    rotate,
    token_shift,
)
from architectures.networks import QK_NORM_SCALE, Cache, Kept
from architectures.transformer.config import VALUE_SCALE, Config


class Attention(Projections):
    """Causal multi-head attention, with rotary positions where the config says so."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.width, config.heads)
        self.qk_norm, self.is_rotary = config.qk_norm, config.positions == "rotary"

    def __call__(
        self, x_BTD: mx.array, start: int, token_values_BTD: mx.array | None, kept: Kept | None
    ) -> mx.array:
        q_BNTK, k_BNSK, v_BNSK = self.split(x_BTD, token_values_BTD)
        if self.qk_norm:
            q_BNTK, k_BNSK = rms_norm(q_BNTK), rms_norm(k_BNSK)
        if self.is_rotary:
            q_BNTK, k_BNSK = rotate(q_BNTK, start), rotate(k_BNSK, start)
        if kept is not None:
            k_BNSK, v_BNSK = appended(k_BNSK, kept, "keys"), appended(v_BNSK, kept, "values")
        scale = QK_NORM_SCALE if self.qk_norm else q_BNTK.shape[-1] ** -0.5
        # Here "causal" takes these tokens for the last of the keys.
        y_BNTK = mx.fast.scaled_dot_product_attention(
            q_BNTK, k_BNSK, v_BNSK, scale=scale, mask="causal"
        )
        return self.join(y_BNTK)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream and adding to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = _norm(config), _norm(config)
        self.attention = Attention(config)
        self.mlp = MLP(config.width, config.hidden, config.mlp)
        self.skip_scales = mx.zeros(2) if config.skip_scales else None
        self.attention_shift = _shift_scale(config)
        self.mlp_shift = _shift_scale(config)

    def __call__(
        self,
        x_BTD: mx.array,
        embedded_BTD: mx.array,
        start: int,
        token_values_BTD: mx.array | None,
        kept: Kept | None,
    ) -> mx.array:
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        y_BTD = token_shift(self.attention_norm(x_BTD), self.attention_shift, kept, "attention")
        x_BTD = x_BTD + self.attention(y_BTD, start, token_values_BTD, kept)
        y_BTD = token_shift(self.mlp_norm(x_BTD), self.mlp_shift, kept, "mlp")
        return x_BTD + self.mlp(y_BTD)


class Model(nn.Module):
    """A decoder with an exact likelihood; the backend makes its logits and its loss."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.context, config.width)
        self.shift = _shift_scale(config)
        # A module is a dictionary, whose attribute `values` is taken.
        self["values"] = [
            nn.Embedding(config.vocab, config.width) for _ in range(config.value_tables)
        ]
        self.ngrams, self.ngram_projections = NgramTables(config), NgramProjections(config)
        self.blocks = [Block(config) for _ in range(config.depth)]
        self.norm = _norm(config)
        if not config.tied:
            self.head = nn.Linear(config.width, config.vocab, bias=False)
        self.rare = mx.zeros((1, config.width)) if config.num_common else None

    def table_index(self, tokens_BT: mx.array) -> dict[str, mx.array]:
        """Rows of the tables of n-grams that `features` reads, by name of the parameter."""
        return by_name(self.ngrams.index(tokens_BT))

    def features(
        self,
        tokens_BT: mx.array,
        cache: Cache | None = None,
        table_rows: dict[str, mx.array] | None = None,
    ) -> mx.array:
        """Final features [B, T, D], which the output weights turn into logits.

        With a `cache` from `new_cache` the tokens follow those read into it. With `table_rows`,
        the rows at `table_index`, the tables themselves are not read.
        """
        start = 0 if cache is None else cache.num_read
        stop = start + tokens_BT.shape[1]
        stem = None if cache is None else cache.stem
        ngram_rows = self.ngrams(self.ngrams.index(tokens_BT, stem), table_rows)
        x_BTD = plus(self.embed(tokens_BT), self.ngram_projections(ngram_rows, "input"))
        if self.config.positions == "learned":
            x_BTD = x_BTD + self.positions.weight[start:stop]
        if self.config.norm == "rms":
            x_BTD = rms_norm(token_shift(rms_norm(x_BTD), self.shift, stem, "embedding"))
        embedded_BTD = x_BTD
        values = self._token_values(tokens_BT, self.ngram_projections(ngram_rows, "value"))
        for i, block in enumerate(self.blocks):
            kept = None if cache is None else cache.layers[i]
            x_BTD = block(x_BTD, embedded_BTD, start, values[i], kept)
        if cache is not None:
            cache.num_read = stop
        return self.norm(x_BTD)

    def _token_values(
        self, tokens_BT: mx.array, ngrams_BTD: mx.array | None
    ) -> list[mx.array | None]:
        """Values that tokens, and in the last block n-grams, add to each block's attention."""
        num_without = len(self.blocks) - len(self["values"])
        found: list[Any] = [None] * num_without + [table(tokens_BT) for table in self["values"]]
        if ngrams_BTD is not None:
            found[-1] = plus(ngrams_BTD, found[-1])
        return [None if values_BTD is None else VALUE_SCALE * values_BTD for values_BTD in found]

    def new_cache(self) -> Cache:
        """An empty cache for one text of at most `context` tokens."""
        return Cache(self.config.depth)

    def output(self) -> tuple[mx.array, mx.array | None, int]:
        """Output weights [V, D], the tail's entry [1, D], number of ids before the tail."""
        weight_VD = self.embed.weight if self.config.tied else self.head.weight
        return weight_VD, self.rare, self.config.num_common


def _norm(config: Config) -> nn.Module:
    return RMSNorm() if config.norm == "rms" else nn.LayerNorm(config.width, eps=1e-5)


def _shift_scale(config: Config) -> mx.array | None:
    return mx.zeros(config.width) if config.token_shift else None
