"""The transformer in PyTorch.

Shapes: B rows, T positions, S positions so far, D width, N heads, K head size, V vocab.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.networks import QK_NORM_SCALE, Cache, Kept
from architectures.torch_layers import (
    MLP,
    NgramProjections,
    NgramTables,
    Projections,
    RMSNorm,
    Rotary,
    appended,
    plus,
    rms_norm,
    rotary_angles,
    rotate,
    token_shift,
)
from architectures.transformer.config import VALUE_SCALE, Config


class Attention(Projections):
    """Causal multi-head attention, with rotary positions where the config says so."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.width, config.heads)
        self.qk_norm = config.qk_norm

    def forward(
        self,
        x_BTD: Tensor,
        rotary: Rotary | None,
        token_values_BTD: Tensor | None,
        kept: Kept | None,
    ) -> Tensor:
        """Causal attention; with `kept`, over the tokens read before as well."""
        q_BTNK, k_BTNK, v_BTNK = self.split(x_BTD, token_values_BTD)
        if self.qk_norm:
            q_BTNK, k_BTNK = rms_norm(q_BTNK), rms_norm(k_BTNK)
        if rotary is not None:
            q_BTNK, k_BTNK = rotate(q_BTNK, rotary), rotate(k_BTNK, rotary)
        k_BNSK, v_BNSK, seen_TS = k_BTNK.transpose(1, 2), v_BTNK.transpose(1, 2), None
        if kept is not None:
            k_BNSK, v_BNSK = appended(k_BNSK, kept, "keys"), appended(v_BNSK, kept, "values")
            T, S = x_BTD.shape[1], k_BNSK.shape[2]
            # `is_causal` would take these tokens for the first of the text.
            if T > 1:
                seen_TS = torch.ones(T, S, dtype=torch.bool, device=x_BTD.device).tril(S - T)
        y_BNTK = F.scaled_dot_product_attention(
            q_BTNK.transpose(1, 2),
            k_BNSK,
            v_BNSK,
            attn_mask=seen_TS,
            is_causal=kept is None,
            scale=QK_NORM_SCALE if self.qk_norm else None,
        )
        return self.join(y_BNTK)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream and adding to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = _norm(config), _norm(config)
        self.attention = Attention(config)
        self.mlp = MLP(config.width, config.hidden, config.mlp)
        self.skip_scales = nn.Parameter(torch.empty(2)) if config.skip_scales else None
        self.attention_shift = _shift_scale(config)
        self.mlp_shift = _shift_scale(config)

    def forward(
        self,
        x_BTD: Tensor,
        embedded_BTD: Tensor,
        rotary: Rotary | None,
        token_values_BTD: Tensor | None,
        kept: Kept | None,
    ) -> Tensor:
        """The stream after attention and MLP."""
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        y_BTD = token_shift(self.attention_norm(x_BTD), self.attention_shift, kept, "attention")
        x_BTD = x_BTD + self.attention(y_BTD, rotary, token_values_BTD, kept)
        y_BTD = token_shift(self.mlp_norm(x_BTD), self.mlp_shift, kept, "mlp")
        return x_BTD + self.mlp(y_BTD)


class Model(nn.Module):
    """A decoder with an exact likelihood; the backend makes its logits and its loss."""

    uses_attention = True  # its kernels are worth timing
    rows_per_thread = 2  # in scoring: their activations stay in the cache of a core

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.context, config.width)
        else:
            angles_TK = rotary_angles(config.context, config.width // config.heads)
            self.register_buffer("cos", angles_TK.cos(), persistent=False)
            self.register_buffer("sin", angles_TK.sin(), persistent=False)
        self.shift = _shift_scale(config)
        self.values = nn.ModuleList(
            nn.Embedding(config.vocab, config.width) for _ in range(config.value_tables)
        )
        self.ngrams, self.ngram_projections = NgramTables(config), NgramProjections(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = _norm(config)
        if not config.tied:
            self.head = nn.Linear(config.width, config.vocab, bias=False)
        self.rare = nn.Parameter(torch.empty(1, config.width)) if config.num_common else None

    def features(self, tokens_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """Final features [B, T, D], which the output weights turn into logits.

        With a `cache` from `new_cache` the tokens follow those read into it.
        """
        start = 0 if cache is None else cache.num_read
        positions = slice(start, start + tokens_BT.shape[1])
        stem = None if cache is None else cache.stem
        ngram_rows = self.ngrams(tokens_BT, stem)
        x_BTD = plus(self.embed(tokens_BT), self.ngram_projections(ngram_rows, "input"))
        rotary = None
        if self.config.positions == "learned":
            x_BTD = x_BTD + self.positions.weight[positions]
        else:
            cos, sin = self.get_buffer("cos"), self.get_buffer("sin")
            rotary = (cos[positions, None], sin[positions, None])
        if self.config.norm == "rms":
            x_BTD = rms_norm(token_shift(rms_norm(x_BTD), self.shift, stem, "embedding"))
        embedded_BTD = x_BTD
        values = self._token_values(tokens_BT, self.ngram_projections(ngram_rows, "value"))
        for i, block in enumerate(self.blocks):
            kept = None if cache is None else cache.layers[i]
            x_BTD = block(x_BTD, embedded_BTD, rotary, values[i], kept)
        if cache is not None:
            cache.num_read = positions.stop
        return self.norm(x_BTD)

    def _token_values(self, tokens_BT: Tensor, ngrams_BTD: Tensor | None) -> list[Tensor | None]:
        """Values that tokens, and in the last block n-grams, add to each block's attention."""
        num_without = len(self.blocks) - len(self.values)
        found: list[Any] = [None] * num_without + [table(tokens_BT) for table in self.values]
        if ngrams_BTD is not None:
            found[-1] = plus(ngrams_BTD, found[-1])
        return [None if values_BTD is None else VALUE_SCALE * values_BTD for values_BTD in found]

    def new_cache(self) -> Cache:
        """An empty cache for one text of at most `context` tokens."""
        return Cache(self.config.depth)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the tail's entry [1, D], number of ids before the tail."""
        weight_VD = self.embed.weight if self.config.tied else self.head.weight
        return weight_VD, self.rare, self.config.num_common


def _norm(config: Config) -> nn.Module:
    return RMSNorm() if config.norm == "rms" else nn.LayerNorm(config.width)


def _shift_scale(config: Config) -> nn.Parameter | None:
    return nn.Parameter(torch.empty(config.width)) if config.token_shift else None
