"""The transformer in PyTorch.

Shapes: B rows, T positions, D width, N heads, K head size, H hidden, V vocab.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.transformer import VALUE_SCALE, Config
from architectures.transformer.torch_cache import BlockCache, Cache, KeysValues, Last

# With normalised queries and keys 1/sqrt(K) leaves attention too flat (modded-nanogpt: 0.12).
_QK_NORM_SCALE = 0.12


class Attention(nn.Module):
    """Causal multi-head attention, with rotary positions where the config says so."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.qk_norm = config.heads, config.qk_norm
        D = config.width
        self.query = nn.Linear(D, D, bias=False)
        self.key = nn.Linear(D, D, bias=False)
        self.value = nn.Linear(D, D, bias=False)
        self.out = nn.Linear(D, D, bias=False)

    def forward(
        self,
        x_BTD: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        token_values_BTD: Tensor | None,
        cache: KeysValues | None,
    ) -> Tensor:
        B, T, D = x_BTD.shape
        weight_3D_D = torch.cat((self.query.weight, self.key.weight, self.value.weight))
        q, k, v_BTD = F.linear(x_BTD, weight_3D_D).chunk(3, dim=-1)
        if token_values_BTD is not None:
            v_BTD = v_BTD + VALUE_SCALE * token_values_BTD
        split = (B, T, self.heads, D // self.heads)
        q_BTNK, k_BTNK, v_BTNK = q.reshape(split), k.reshape(split), v_BTD.reshape(split)
        if self.qk_norm:
            q_BTNK, k_BTNK = _rms_norm(q_BTNK), _rms_norm(k_BTNK)
        if rotary is not None:
            q_BTNK, k_BTNK = _rotate(q_BTNK, rotary), _rotate(k_BTNK, rotary)
        k_BNTK, v_BNTK, seen_TS = k_BTNK.transpose(1, 2), v_BTNK.transpose(1, 2), None
        if cache is not None:
            k_BNTK, v_BNTK = cache.append(k_BNTK, v_BNTK)
            S = k_BNTK.shape[2]
            # `is_causal` would take these tokens for the first of the text.
            seen_TS = torch.ones(T, S, dtype=torch.bool, device=x_BTD.device).tril(S - T)
        y_BNTK = F.scaled_dot_product_attention(
            q_BTNK.transpose(1, 2),
            k_BNTK,
            v_BNTK,
            attn_mask=seen_TS,
            is_causal=seen_TS is None,
            scale=_QK_NORM_SCALE if self.qk_norm else None,
        )
        return self.out(y_BNTK.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    """SwiGLU (Shazeer 2020), GELU, or squared ReLU (So et al. 2021)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.kind = config.mlp
        if self.kind == "swiglu":
            self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        h_BTH = self.up(x_BTD)
        if self.kind == "swiglu":
            h_BTH = F.silu(self.gate(x_BTD)) * h_BTH
        elif self.kind == "gelu":
            h_BTH = F.gelu(h_BTH)
        else:
            h_BTH = F.relu(h_BTH).square()
        return self.down(h_BTH)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream and adding to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = _norm(config), _norm(config)
        self.attention, self.mlp = Attention(config), MLP(config)
        self.skip_scales = nn.Parameter(torch.empty(2)) if config.skip_scales else None
        self.attention_shift = _shift_scales(config)
        self.mlp_shift = _shift_scales(config)

    def forward(
        self,
        x_BTD: Tensor,
        embedded_BTD: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        token_values_BTD: Tensor | None,
        cache: BlockCache | None,
    ) -> Tensor:
        keys_values, attention_last, mlp_last = cache or (None, None, None)
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        y_BTD = _shifted(self.attention_norm(x_BTD), self.attention_shift, attention_last)
        x_BTD = x_BTD + self.attention(y_BTD, rotary, token_values_BTD, keys_values)
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
        else:
            angles_TK = _angles(config.context, config.width // config.heads)
            self.register_buffer("cos", angles_TK.cos(), persistent=False)
            self.register_buffer("sin", angles_TK.sin(), persistent=False)
        self.shift = _shift_scales(config)
        self.values = nn.ModuleList(
            nn.Embedding(config.vocab, config.width) for _ in range(config.value_tables)
        )
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = _norm(config)
        if not config.tied:
            self.head = nn.Linear(config.width, config.vocab, bias=False)
        self.rare = nn.Parameter(torch.empty(1, config.width)) if config.num_common else None

    def features(self, tokens_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """[B, T, D]: what the output weights turn into logits; with a `cache` from
        `new_cache`, of the tokens that follow those read into it."""
        start = 0 if cache is None else cache.num_read
        places = slice(start, start + tokens_BT.shape[1])
        x_BTD = self.embed(tokens_BT)
        rotary = None
        if self.config.positions == "learned":
            x_BTD = x_BTD + self.positions.weight[places]
        else:
            rotary = (self.get_buffer("cos")[places, None], self.get_buffer("sin")[places, None])
        if self.config.norm == "rms":
            last = None if cache is None else cache.last
            x_BTD = _rms_norm(_shifted(_rms_norm(x_BTD), self.shift, last))
        embedded_BTD = x_BTD
        first_with_values = len(self.blocks) - len(self.values)
        for i, block in enumerate(self.blocks):
            has_values = i >= first_with_values
            token_values = self.values[i - first_with_values](tokens_BT) if has_values else None
            kept = None if cache is None else cache.blocks[i]
            x_BTD = block(x_BTD, embedded_BTD, rotary, token_values, kept)
        return self.norm(x_BTD)

    def new_cache(self) -> Cache:
        """What `features` keeps of one text, of at most `context` tokens, to read on from."""
        return Cache(self.config, self.embed.weight.device)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
        weight_VD = self.embed.weight if self.config.tied else self.head.weight
        return weight_VD, self.rare, self.config.num_common


class _RMSNorm(nn.Module):
    """Without gains (Zhang & Sennrich 2019): the matrices after it can scale as well."""

    def forward(self, x: Tensor) -> Tensor:
        return _rms_norm(x)


def _norm(config: Config) -> nn.Module:
    return _RMSNorm() if config.norm == "rms" else nn.LayerNorm(config.width)


def _rms_norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


def _shift_scales(config: Config) -> nn.Parameter | None:
    return nn.Parameter(torch.empty(config.width)) if config.token_shift else None


def _shifted(x_BTD: Tensor, scales_D: Tensor | None, last: Last | None) -> Tensor:
    """Each position plus the one before it, scaled by channel (Peng et al. 2023)."""
    if scales_D is None:
        return x_BTD
    before_BTD = F.pad(x_BTD, (0, 0, 1, 0))[:, :-1] if last is None else last.before(x_BTD)
    return x_BTD + before_BTD * scales_D


def _angles(context: int, head_size: int) -> Tensor:
    """Rotary angles [context, head_size / 2] (Su et al. 2021), wavelengths 2 pi to 2 pi 1024."""
    frequency_K = 1024.0 ** -torch.linspace(0, 1, head_size // 2)
    return torch.arange(context, dtype=torch.float32)[:, None] * frequency_K


def _rotate(x_BTNK: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = rotary
    a, b = x_BTNK.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
