"""The transformer in MLX, the twin of `torch_model.py`.

Shapes: B rows, T positions, D width, N heads, K head size, H hidden, V vocab.
"""

import mlx.core as mx
import mlx.nn as nn

from architectures.transformer import VALUE_SCALE, Config
from architectures.transformer.mlx_cache import BlockCache, Cache, KeysValues, Last

# With normalised queries and keys 1/sqrt(K) leaves attention too flat (modded-nanogpt: 0.12).
_QK_NORM_SCALE = 0.12


class Attention(nn.Module):
    """Causal multi-head attention, with rotary positions where the config says so."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        D = config.width
        self.heads, self.qk_norm = config.heads, config.qk_norm
        self.is_rotary = config.positions == "rotary"
        self.query = nn.Linear(D, D, bias=False)
        self.key = nn.Linear(D, D, bias=False)
        self.value = nn.Linear(D, D, bias=False)
        self.out = nn.Linear(D, D, bias=False)

    def __call__(
        self, x_BTD: mx.array, token_values_BTD: mx.array | None, cache: KeysValues | None
    ) -> mx.array:
        B, T, D = x_BTD.shape
        K = D // self.heads
        weight_3D_D = mx.concatenate([self.query.weight, self.key.weight, self.value.weight])
        q, k, v_BTD = mx.split(x_BTD @ weight_3D_D.T, 3, axis=-1)
        if token_values_BTD is not None:
            v_BTD = v_BTD + VALUE_SCALE * token_values_BTD
        q_BNTK, k_BNTK, v_BNTK = (
            y.reshape(B, T, self.heads, K).transpose(0, 2, 1, 3) for y in (q, k, v_BTD)
        )
        if self.qk_norm:
            q_BNTK, k_BNTK = _rms_norm(q_BNTK), _rms_norm(k_BNTK)
        if self.is_rotary:
            start = 0 if cache is None else cache.num_read
            q_BNTK, k_BNTK = _rotate(q_BNTK, start), _rotate(k_BNTK, start)
        if cache is not None:
            k_BNTK, v_BNTK = cache.append(k_BNTK, v_BNTK)
        scale = _QK_NORM_SCALE if self.qk_norm else K**-0.5
        # Here "causal" takes these tokens for the last of the keys.
        y_BNTK = mx.fast.scaled_dot_product_attention(
            q_BNTK, k_BNTK, v_BNTK, scale=scale, mask="causal"
        )
        return self.out(y_BNTK.transpose(0, 2, 1, 3).reshape(B, T, D))


class MLP(nn.Module):
    """SwiGLU (Shazeer 2020), GELU, or squared ReLU (So et al. 2021)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.kind = config.mlp
        if self.kind == "swiglu":
            self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def __call__(self, x_BTD: mx.array) -> mx.array:
        h_BTH = self.up(x_BTD)
        if self.kind == "swiglu":
            h_BTH = nn.silu(self.gate(x_BTD)) * h_BTH
        elif self.kind == "gelu":
            h_BTH = nn.gelu(h_BTH)
        else:
            h_BTH = mx.maximum(h_BTH, 0.0).square()
        return self.down(h_BTH)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream and adding to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = _norm(config), _norm(config)
        self.attention, self.mlp = Attention(config), MLP(config)
        self.skip_scales = mx.zeros(2) if config.skip_scales else None
        self.attention_shift = _shift_scales(config)
        self.mlp_shift = _shift_scales(config)

    def __call__(
        self,
        x_BTD: mx.array,
        embedded_BTD: mx.array,
        token_values_BTD: mx.array | None,
        cache: BlockCache | None,
    ) -> mx.array:
        keys_values, attention_last, mlp_last = cache or (None, None, None)
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        y_BTD = _shifted(self.attention_norm(x_BTD), self.attention_shift, attention_last)
        x_BTD = x_BTD + self.attention(y_BTD, token_values_BTD, keys_values)
        y_BTD = _shifted(self.mlp_norm(x_BTD), self.mlp_shift, mlp_last)
        return x_BTD + self.mlp(y_BTD)


class Model(nn.Module):
    """An exact model: `features` and `output` make the logits, in the backend's hands."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        if config.positions == "learned":
            self.positions = nn.Embedding(config.context, config.width)
        self.shift = _shift_scales(config)
        # A module is a dictionary, whose attribute `values` is taken.
        self["values"] = [
            nn.Embedding(config.vocab, config.width) for _ in range(config.value_tables)
        ]
        self.blocks = [Block(config) for _ in range(config.depth)]
        self.norm = _norm(config)
        if not config.tied:
            self.head = nn.Linear(config.width, config.vocab, bias=False)
        self.rare = mx.zeros((1, config.width)) if config.num_common else None

    def features(self, tokens_BT: mx.array, cache: Cache | None = None) -> mx.array:
        """[B, T, D]: what the output weights turn into logits; with a `cache` from
        `new_cache`, of the tokens that follow those read into it."""
        x_BTD = self.embed(tokens_BT)
        if self.config.positions == "learned":
            start = 0 if cache is None else cache.num_read
            x_BTD = x_BTD + self.positions.weight[start : start + tokens_BT.shape[1]]
        if self.config.norm == "rms":
            last = None if cache is None else cache.last
            x_BTD = _rms_norm(_shifted(_rms_norm(x_BTD), self.shift, last))
        embedded_BTD = x_BTD
        tables = [table(tokens_BT) for table in self["values"]]
        tables = [None] * (len(self.blocks) - len(tables)) + tables
        caches = [None] * len(self.blocks) if cache is None else cache.blocks
        for block, token_values_BTD, kept in zip(self.blocks, tables, caches, strict=True):
            x_BTD = block(x_BTD, embedded_BTD, token_values_BTD, kept)
        return self.norm(x_BTD)

    def new_cache(self) -> Cache:
        """What `features` keeps of one text, of at most `context` tokens, to read on from."""
        return Cache(self.config)

    def output(self) -> tuple[mx.array, mx.array | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
        weight_VD = self.embed.weight if self.config.tied else self.head.weight
        return weight_VD, self.rare, self.config.num_common


class _RMSNorm(nn.Module):
    """Without gains (Zhang & Sennrich 2019): the matrices after it can scale as well."""

    def __call__(self, x: mx.array) -> mx.array:
        return _rms_norm(x)


def _norm(config: Config) -> nn.Module:
    return _RMSNorm() if config.norm == "rms" else nn.LayerNorm(config.width, eps=1e-5)


def _rms_norm(x: mx.array) -> mx.array:
    return mx.fast.rms_norm(x, None, 1e-6)


def _shift_scales(config: Config) -> mx.array | None:
    return mx.zeros(config.width) if config.token_shift else None


def _shifted(x_BTD: mx.array, scales_D: mx.array | None, last: Last | None) -> mx.array:
    """Each position plus the one before it, scaled by channel (Peng et al. 2023)."""
    if scales_D is None:
        return x_BTD
    if last is None:
        before_BTD = mx.pad(x_BTD, [(0, 0), (1, 0), (0, 0)])[:, :-1]
    else:
        before_BTD = last.before(x_BTD)
    return x_BTD + before_BTD * scales_D


def _rotate(x_BNTK: mx.array, start: int) -> mx.array:
    """Rotary positions (Su et al. 2021) from `start` on, halves rotated against each other.

    `freqs` are angles' divisors: wavelengths 2 pi to 2 pi 1024.
    """
    K = x_BNTK.shape[-1]
    freqs_K = 1024.0 ** mx.linspace(0, 1, K // 2)
    return mx.fast.rope(
        x_BNTK, K, traditional=False, base=None, scale=1.0, offset=start, freqs=freqs_K
    )
