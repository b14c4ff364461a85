"""Layers that the PyTorch models share; `mlx_layers.py` is the twin.

Shapes: B rows, T positions, S positions so far, D width, N heads, K head size, H hidden.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from architectures import hashed_ngrams
from architectures.networks import Kept

Rotary = tuple[Tensor, Tensor]  # cosines and sines [T, 1, K / 2]


def previous_token(x_BTD: Tensor, kept: Kept | None, name: str) -> Tensor:
    """The token before each [B, T, D], zero where a text begins; the last one is kept."""
    if kept is None:
        return F.pad(x_BTD, (0, 0, 1, 0))[:, :-1]
    last_B1D = kept[name] if name in kept else torch.zeros_like(x_BTD[:, :1])
    kept[name] = x_BTD[:, -1:]
    return last_B1D if x_BTD.shape[1] == 1 else torch.cat((last_B1D, x_BTD[:, :-1]), dim=1)


def appended(x_BNTK: Tensor, kept: Kept, name: str) -> Tensor:
    """Keys or values of all tokens so far [B, N, S, K], these being the last."""
    kept[name] = torch.cat((kept[name], x_BNTK), dim=2) if name in kept else x_BNTK
    return kept[name]


def token_shift(x_BTD: Tensor, scale_D: Tensor | None, kept: Kept | None, name: str) -> Tensor:
    """Each position plus the one before it, scaled by channel (Peng et al. 2023)."""
    if scale_D is None:
        return x_BTD
    return x_BTD + previous_token(x_BTD, kept, name) * scale_D


def rms_norm(x: Tensor) -> Tensor:
    """Without gains (Zhang & Sennrich 2019): the matrices after it can scale as well."""
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


class RMSNorm(nn.Module):
    """`rms_norm` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """`x` scaled to a root mean square of one over its last axis."""
        return rms_norm(x)


def rotary_angles(context: int, head_size: int) -> Tensor:
    """Rotary angles [context, head_size / 2] (Su et al. 2021), wavelengths 2 pi to 2 pi 1024."""
    frequency_K = 1024.0 ** -torch.linspace(0, 1, head_size // 2)
    return torch.arange(context, dtype=torch.float32)[:, None] * frequency_K


def rotate(x_BTNK: Tensor, rotary: Rotary) -> Tensor:
    """Rotary positions: halves of each head rotated against each other."""
    cos, sin = rotary
    a, b = x_BTNK.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Projections(nn.Module):
    """The four matrices of multi-head attention; subclasses attend between them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def split(self, x_BTD: Tensor, token_values_BTD: Tensor | None) -> list[Tensor]:
        """Queries, keys and values [B, T, N, K]; `token_values_BTD` are added to the values."""
        B, T, D = x_BTD.shape
        weight_3D_D = torch.cat((self.query.weight, self.key.weight, self.value.weight))
        q, k, v_BTD = F.linear(x_BTD, weight_3D_D).chunk(3, dim=-1)
        if token_values_BTD is not None:
            v_BTD = v_BTD + token_values_BTD
        return [y.reshape(B, T, self.heads, D // self.heads) for y in (q, k, v_BTD)]

    def join(self, y_BNTK: Tensor) -> Tensor:
        """Output [B, T, D] of what the heads found."""
        return self.out(y_BNTK.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Squared ReLU (So et al. 2021), GELU, or SwiGLU (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int, kind: str = "relu2") -> None:
        super().__init__()
        self.kind = kind
        if kind == "swiglu":
            self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """The output of the two or three layers, as wide as their input."""
        h_BTH = self.up(x_BTD)
        if self.kind == "swiglu":
            h_BTH = F.silu(self.gate(x_BTD)) * h_BTH
        elif self.kind == "gelu":
            h_BTH = F.gelu(h_BTH)
        else:
            h_BTH = F.relu(h_BTH).square()
        return self.down(h_BTH)


def plus(x_BTD: Tensor, more_BTD: Tensor | None) -> Tensor:
    """The sum, or `x_BTD` where there is no more."""
    return x_BTD if more_BTD is None else x_BTD + more_BTD


class NgramTables(nn.ModuleDict):
    """Tables of hashed n-grams by field; `sparse` has the optimizer update the rows of a step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config, width = config, hashed_ngrams.row_width(config)
        for field, rows in hashed_ngrams.num_rows(config).items():
            self[field] = skip_init(nn.Embedding, rows, width, sparse=True)

    def forward(self, tokens_BT: Tensor, kept: Kept | None) -> dict[str, Tensor]:
        """Row [B, T, W] of each table for the n-gram that ends at each position."""
        looked_up: Any = self._of_the_past  # its type is lost behind the decorator
        return looked_up(tokens_BT, kept) if len(self) else {}

    def around(self, tokens_BT: Tensor, sentinel: int) -> dict[str, Tensor]:
        """Row [B, T, W] of each table for what stands around each position, pairs added up."""
        looked_up: Any = self._of_both_sides
        return looked_up(tokens_BT, sentinel) if len(self) else {}

    @torch.compiler.disable  # it does not make sparse gradients
    def _of_the_past(self, tokens_BT: Tensor, kept: Kept | None) -> dict[str, Tensor]:
        sentinel = self.config.vocab
        recent_B2 = None if kept is None else kept.get("recent")
        if recent_B2 is None:
            recent_B2 = hashed_ngrams.no_recent(tokens_BT, sentinel, torch)
        if kept is not None:
            kept["recent"] = torch.cat((recent_B2, tokens_BT), 1)[:, -hashed_ngrams.NUM_RECENT :]
        index = hashed_ngrams.index(self.config, tokens_BT, recent_B2, sentinel, torch)
        return {field: self[field](rows) for field, rows in index.items()}

    @torch.compiler.disable
    def _of_both_sides(self, tokens_BT: Tensor, sentinel: int) -> dict[str, Tensor]:
        index = hashed_ngrams.index_around(self.config, tokens_BT, sentinel, torch)
        found = {field: self[field](rows) for field, rows in index.items()}
        return {field: rows.sum(0) if rows.ndim == 4 else rows for field, rows in found.items()}


class NgramProjections(nn.ModuleDict):
    """Matrices from the rows of tables to the width of the model, where the two differ."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = hashed_ngrams.row_width(config)
        if width != config.width:
            for field in hashed_ngrams.num_rows(config):
                self[field] = nn.Linear(width, config.width, bias=False)

    def forward(self, rows: dict[str, Tensor], place: str) -> Tensor | None:
        """Sum [B, T, D] of the rows that belong to a place, "input" or "value"."""
        found = [
            self[field](rows_BTW) if field in self else rows_BTW
            for field, rows_BTW in rows.items()
            if field.startswith(place)
        ]
        return sum(found[1:], found[0]) if found else None
