"""The denoisers of D3PM in PyTorch, and the bound's terms.

Shapes: B rows, T positions, D width, N heads (tokens in `bound_nats`), K head size, H hidden,
V vocab, M places that mixing sees, F features of time.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.d3pm.config import TIME_FEATURES, VALUE_SCALE, Config
from architectures.d3pm.divergence import log_evidence, uniform_divergence
from architectures.networks import QK_NORM_SCALE
from architectures.torch_layers import (
    MLP,
    NgramProjections,
    NgramTables,
    Projections,
    Rotary,
    plus,
    rms_norm,
    rotary_angles,
    rotate,
)


class Attention(Projections):
    """Multi-head attention in both directions, with rotary positions."""

    def forward(self, x_BTD: Tensor, rotary: Rotary, token_values_BTD: Tensor | None) -> Tensor:
        """Attention over the whole row, in both directions."""
        q_BTNK, k_BTNK, v_BTNK = self.split(x_BTD, token_values_BTD)
        y_BNTK = F.scaled_dot_product_attention(
            rotate(rms_norm(q_BTNK), rotary).transpose(1, 2),
            rotate(rms_norm(k_BTNK), rotary).transpose(1, 2),
            v_BTNK.transpose(1, 2),
            scale=QK_NORM_SCALE,
        )
        return self.join(y_BNTK)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream mixed with its neighbours."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.skip_scales = nn.Parameter(torch.empty(2))
        self.time = nn.Linear(TIME_FEATURES, config.width, bias=False)
        self.attention_mixing = nn.Parameter(torch.empty(config.mixing, config.width))
        self.mlp_mixing = nn.Parameter(torch.empty(config.mixing, config.width))
        self.attention = Attention(config.width, config.heads)
        self.mlp = MLP(config.width, config.hidden)

    def forward(
        self,
        x_BTD: Tensor,
        embedded_BTD: Tensor,
        time_BF: Tensor,
        rotary: Rotary,
        token_values_BTD: Tensor | None,
    ) -> Tensor:
        """The stream after attention and MLP, given the time features of each row."""
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(rms_norm(x_BTD), self.attention_mixing)
        x_BTD = x_BTD + self.attention(y_BTD, rotary, token_values_BTD)
        return x_BTD + self.mlp(_mixed(rms_norm(x_BTD), self.mlp_mixing))


class Direction(nn.Module):
    """The weights of an LSTM that reads one way; one bias, as in every framework's twin."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.weight_x = nn.Parameter(torch.empty(4 * hidden, width))
        self.weight_h = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.empty(4 * hidden))

    def weights(self) -> list[Tensor]:
        """Weights in the order of `torch.nn.LSTM`; its second bias is zero."""
        return [self.weight_x, self.weight_h, self.bias, torch.zeros_like(self.bias)]


class Layer(nn.Module):
    """A bidirectional LSTM that reads a normalised stream and adds to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.hidden = config.hidden
        self.skip_scales = nn.Parameter(torch.empty(2))
        self.time = nn.Linear(TIME_FEATURES, config.width, bias=False)
        self.mixing = nn.Parameter(torch.empty(config.mixing, config.width))
        self.right = Direction(config.width, config.hidden)
        self.left = Direction(config.width, config.hidden)
        self.out = nn.Linear(2 * config.hidden, config.width, bias=False)

    def forward(
        self, x_BTD: Tensor, embedded_BTD: Tensor, time_BF: Tensor, token_values_BTD: Tensor | None
    ) -> Tensor:
        """The stream after this layer, given the time features of each row."""
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(rms_norm(x_BTD), self.mixing)
        if token_values_BTD is not None:
            y_BTD = y_BTD + token_values_BTD
        weights = self.right.weights() + self.left.weights()
        return x_BTD + self.out(_both_ways(y_BTD, self.hidden, weights))


def _read(x_BTD: Tensor, hidden: int, weights: list[Tensor]) -> Tensor:
    """States [B, T, 2 hidden] of an LSTM from the left and one from the right."""
    state = x_BTD.new_zeros(2, len(x_BTD), hidden)
    return torch.lstm(x_BTD, (state, state), weights, True, 1, 0.0, True, True, True)[0]


_both_ways: Any = torch.compiler.disable(_read)  # compilers would unroll the steps


class Model(nn.Module):
    """Reads noisy tokens in both directions, knows the time, predicts the clean tokens."""

    uses_attention = True  # its kernels are worth timing

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        D = config.width
        self.embed = nn.Embedding(config.num_symbols, D)
        self.time = nn.Linear(TIME_FEATURES, D, bias=False)
        self.mixing = nn.Parameter(torch.empty(config.mixing, D))
        self.values = nn.ModuleList(
            nn.Embedding(config.num_symbols, D) for _ in range(config.value_tables)
        )
        self.ngrams, self.ngram_projections = NgramTables(config), NgramProjections(config)
        if config.denoiser == "transformer":
            self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
            angles_TK = rotary_angles(config.context + 1, D // config.heads)
            self.register_buffer("cos", angles_TK.cos(), persistent=False)
            self.register_buffer("sin", angles_TK.sin(), persistent=False)
        else:
            self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.rare = nn.Parameter(torch.empty(1, D)) if config.num_common else None

    def features(self, noisy_BT: Tensor, steps_B: Tensor) -> Tensor:
        """Final features [B, T, D], which the output weights turn into logits of clean tokens."""
        T = noisy_BT.shape[1]
        time_BF = _time_features(steps_B / self.config.num_steps)
        ngram_rows = self.ngrams.around(noisy_BT, self.config.num_symbols)
        x_BTD = plus(self.embed(noisy_BT), self.ngram_projections(ngram_rows, "input"))
        x_BTD = _mixed(rms_norm(x_BTD), self.mixing)
        x_BTD = rms_norm(x_BTD + self.time(time_BF)[:, None])
        embedded_BTD = x_BTD
        first_with_values = self.config.depth - len(self.values)
        tables = [None] * first_with_values + [VALUE_SCALE * t(noisy_BT) for t in self.values]
        if self.config.denoiser == "lstm":
            for layer, token_values in zip(self.layers, tables, strict=True):
                x_BTD = layer(x_BTD, embedded_BTD, time_BF, token_values)
            return rms_norm(x_BTD)
        rotary = (self.get_buffer("cos")[:T, None], self.get_buffer("sin")[:T, None])
        for block, token_values in zip(self.blocks, tables, strict=True):
            x_BTD = block(x_BTD, embedded_BTD, time_BF, rotary, token_values)
        return rms_norm(x_BTD)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the tail's entry [1, D], number of ids before the tail."""
        return self.embed.weight[: self.config.vocab], self.rare, self.config.num_common

    def loss_weights(self) -> tuple[float, float]:
        """Of the bound and of the cross-entropy in the training loss."""
        return self.config.bound_weight, self.config.auxiliary

    def bound_nats(
        self, log_probs_NV: Tensor, clean_N: Tensor, noisy_N: Tensor, steps_N: Tensor
    ) -> Tensor:
        """Terms [N] of the bound at one noise step each, times the number of steps.

        Their mean over steps drawn evenly is the bound: at step 1 the reconstruction, at later
        ones the divergence of the predicted from the true reverse step (Austin et al. 2021,
        equation 1). The prior term is zero.
        """
        if self.config.transition == "absorbing":
            return -_picked(log_probs_NV, clean_N) * (self.config.num_steps / steps_N)
        S = self.config.num_steps
        evidence_N1 = log_evidence(steps_N, S, log_probs_NV.shape[1], torch)[:, None]
        log_probs_NV = log_probs_NV.scatter_add(1, noisy_N[:, None], -evidence_N1)
        log_probs_NV = log_probs_NV.log_softmax(dim=-1)
        picked = (_picked(log_probs_NV, clean_N), _picked(log_probs_NV, noisy_N))
        is_same_N = clean_N == noisy_N
        return S * uniform_divergence(log_probs_NV, (*picked, is_same_N), steps_N, S, torch)


def _picked(log_probs_NV: Tensor, index_N: Tensor) -> Tensor:
    return log_probs_NV.gather(1, index_N[:, None])[:, 0]


def _time_features(share_B: Tensor) -> Tensor:
    """Cosines and sines [B, F] of the share of noise, from half a wave to many."""
    frequencies_F = math.pi * 2.0 ** torch.arange(
        TIME_FEATURES // 2, dtype=torch.float32, device=share_B.device
    )
    angles_BF = share_B[:, None] * frequencies_F
    return torch.cat((angles_BF.cos(), angles_BF.sin()), dim=-1)


def _mixed(x_BTD: Tensor, weights_MD: Tensor) -> Tensor:
    """A depthwise convolution over the places around each, zero beyond the ends."""
    M, T = len(weights_MD), x_BTD.shape[1]
    padded = F.pad(x_BTD, (0, 0, M // 2, M // 2))
    mixed = padded[:, :T] * weights_MD[0]
    for place in range(1, M):
        mixed = mixed + padded[:, place : place + T] * weights_MD[place]
    return mixed
