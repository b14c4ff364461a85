"""Layers that the MLX models share; `torch_layers.py` is the twin.

Shapes: B rows, T positions, S positions so far, D width, N heads, K head size, H hidden.
"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn

from architectures import hashed_ngrams
from architectures.networks import Kept


def previous_token(x_BTD: mx.array, kept: Kept | None, name: str) -> mx.array:
    """The token before each [B, T, D], zero where a text begins; the last one is kept."""
    if kept is None:
        return mx.pad(x_BTD, [(0, 0), (1, 0), (0, 0)])[:, :-1]
    last_B1D = kept.get(name, mx.zeros_like(x_BTD[:, :1]))
    kept[name] = x_BTD[:, -1:]
    return mx.concatenate([last_B1D, x_BTD[:, :-1]], axis=1)


def appended(x_BNTK: mx.array, kept: Kept, name: str) -> mx.array:
    """Keys or values of all tokens so far [B, N, S, K], these being the last."""
    kept[name] = mx.concatenate([kept[name], x_BNTK], axis=2) if name in kept else x_BNTK
    return kept[name]


def token_shift(
    x_BTD: mx.array, scale_D: mx.array | None, kept: Kept | None, name: str
) -> mx.array:
    """Each position plus the one before it, scaled by channel (Peng et al. 2023)."""
    if scale_D is None:
        return x_BTD
    return x_BTD + previous_token(x_BTD, kept, name) * scale_D


def rms_norm(x: mx.array) -> mx.array:
    """Without gains (Zhang & Sennrich 2019): the matrices after it can scale as well."""
    return mx.fast.rms_norm(x, None, 1e-6)


class RMSNorm(nn.Module):
    """`rms_norm` as a module."""

    def __call__(self, x: mx.array) -> mx.array:
        return rms_norm(x)


def rotate(x_BNTK: mx.array, start: int = 0) -> mx.array:
    """Rotary positions (Su et al. 2021) from `start` on, halves rotated against each other.

    `freqs` are angles' divisors: wavelengths 2 pi to 2 pi 1024.
    """
    K = x_BNTK.shape[-1]
    freqs_K = 1024.0 ** mx.linspace(0, 1, K // 2)
    return mx.fast.rope(
        x_BNTK, K, traditional=False, base=None, scale=1.0, offset=start, freqs=freqs_K
    )


class Projections(nn.Module):
    """The four matrices of multi-head attention; subclasses attend between them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def split(self, x_BTD: mx.array, token_values_BTD: mx.array | None) -> list[mx.array]:
        """Queries, keys and values [B, N, T, K]; `token_values_BTD` are added to the values."""
        B, T, D = x_BTD.shape
        weight_3D_D = mx.concatenate([self.query.weight, self.key.weight, self.value.weight])
        q, k, v_BTD = mx.split(x_BTD @ weight_3D_D.T, 3, axis=-1)
        if token_values_BTD is not None:
            v_BTD = v_BTD + token_values_BTD
        shape = (B, T, self.heads, D // self.heads)
        return [y.reshape(shape).transpose(0, 2, 1, 3) for y in (q, k, v_BTD)]

    def join(self, y_BNTK: mx.array) -> mx.array:
        """Output [B, T, D] of what the heads found."""
        return self.out(y_BNTK.transpose(0, 2, 1, 3).flatten(2))


class MLP(nn.Module):
    """Squared ReLU (So et al. 2021), GELU, or SwiGLU (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int, kind: str = "relu2") -> None:
        super().__init__()
        self.kind = kind
        if kind == "swiglu":
            self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def __call__(self, x_BTD: mx.array) -> mx.array:
        h_BTH = self.up(x_BTD)
        if self.kind == "swiglu":
            h_BTH = nn.silu(self.gate(x_BTD)) * h_BTH
        elif self.kind == "gelu":
            h_BTH = nn.gelu(h_BTH)
        else:
            h_BTH = mx.maximum(h_BTH, 0.0).square()
        return self.down(h_BTH)


def plus(x_BTD: mx.array, more_BTD: mx.array | None) -> mx.array:
    """The sum, or `x_BTD` where there is no more."""
    return x_BTD if more_BTD is None else x_BTD + more_BTD


class NgramTables(nn.Module):
    """Tables of hashed n-grams by field, of which a step reads and changes few rows."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self._config, width = config, hashed_ngrams.row_width(config)
        for field, rows in hashed_ngrams.num_rows(config).items():
            self[field] = nn.Embedding(rows, width)

    def index(self, tokens_BT: mx.array, kept: Kept | None = None) -> dict[str, mx.array]:
        """Row of each table [B, T] for the n-gram that ends at each position, by field."""
        tokens_BT, sentinel = tokens_BT.astype(mx.int64), self._config.vocab
        recent_B2 = None if kept is None else kept.get("recent")
        if recent_B2 is None:
            recent_B2 = hashed_ngrams.no_recent(tokens_BT, sentinel, mx)
        if kept is not None:
            read = mx.concatenate([recent_B2, tokens_BT], axis=1)
            kept["recent"] = read[:, -hashed_ngrams.NUM_RECENT :]
        return hashed_ngrams.index(self._config, tokens_BT, recent_B2, sentinel, mx)

    def index_around(self, tokens_BT: mx.array, sentinel: int) -> dict[str, mx.array]:
        """Rows of each table [B, T] or [2, B, T] for what stands around each position, by field."""
        return hashed_ngrams.index_around(self._config, tokens_BT.astype(mx.int64), sentinel, mx)

    def __call__(
        self, index: dict[str, mx.array], given: dict[str, mx.array] | None
    ) -> dict[str, mx.array]:
        """Row [B, T, W] of each table; those `given`, by name of the parameter, are not read."""
        if given is None:
            found = {field: self[field](rows) for field, rows in index.items()}
        else:
            found = {field: given[name] for field, name in zip(index, by_name(index), strict=True)}
        return {field: rows.sum(0) if rows.ndim == 4 else rows for field, rows in found.items()}


def by_name(index: dict[str, mx.array]) -> dict[str, mx.array]:
    """Rows of tables by the name of the parameter instead of the field."""
    return {f"{hashed_ngrams.TABLES}{field}.weight": rows for field, rows in index.items()}


class NgramProjections(nn.Module):
    """Matrices from the rows of tables to the width of the model, where the two differ."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = hashed_ngrams.row_width(config)
        if width != config.width:
            for field in hashed_ngrams.num_rows(config):
                self[field] = nn.Linear(width, config.width, bias=False)

    def __call__(self, rows: dict[str, mx.array], place: str) -> mx.array | None:
        """Sum [B, T, D] of the rows that belong to a place, "input" or "value"."""
        found = [
            self[field](rows_BTW) if field in self else rows_BTW
            for field, rows_BTW in rows.items()
            if field.startswith(place)
        ]
        return sum(found[1:], found[0]) if found else None
