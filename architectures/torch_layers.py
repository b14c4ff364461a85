"""Layers that the PyTorch models share; `mlx_layers.py` is the twin.

Shapes: B rows, T positions, S positions so far, D width, N heads, K head size, H hidden.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.networks import Kept

Rotary = tuple[Tensor, Tensor]  # cosines and sines [T, 1, K / 2]


def previous_token(x_BTD: Tensor, kept: Kept | None, name: str) -> Tensor:
    """The token before each [B, T, D], zero where a text begins; the last one is kept."""
    if kept is None:
        return F.pad(x_BTD, (0, 0, 1, 0))[:, :-1]
    last_B1D = kept.get(name, torch.zeros_like(x_BTD[:, :1]))
    kept[name] = x_BTD[:, -1:]
    return torch.cat((last_B1D, x_BTD[:, :-1]), dim=1)


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
