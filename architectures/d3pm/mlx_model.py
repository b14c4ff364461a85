"""The denoisers of D3PM in MLX, and the bound's terms: the twin of `torch_model.py`.

Shapes: B rows, T positions, D width, N heads (tokens in `bound_nats`), K head size, H hidden,
V vocab, M places that mixing sees, F features of time.
"""

import math

import mlx.core as mx
import mlx.nn as nn

from architectures.d3pm.config import TIME_FEATURES, VALUE_SCALE, Config
from architectures.d3pm.divergence import log_evidence, uniform_divergence
from architectures.mlx_layers import (
    MLP,
    NgramProjections,
    NgramTables,
    Projections,
    by_name,
    plus,
    rms_norm,
    rotate,
)
from architectures.networks import QK_NORM_SCALE


class Attention(Projections):
    """Multi-head attention in both directions, with rotary positions."""

    def __call__(self, x_BTD: mx.array, token_values_BTD: mx.array | None) -> mx.array:
        q_BNTK, k_BNTK, v_BNTK = self.split(x_BTD, token_values_BTD)
        y_BNTK = mx.fast.scaled_dot_product_attention(
            rotate(rms_norm(q_BNTK)), rotate(rms_norm(k_BNTK)), v_BNTK, scale=QK_NORM_SCALE
        )
        return self.join(y_BNTK)


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream mixed with its neighbours."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.skip_scales = mx.zeros(2)
        self.time = nn.Linear(TIME_FEATURES, config.width, bias=False)
        self.attention_mixing = mx.zeros((config.mixing, config.width))
        self.mlp_mixing = mx.zeros((config.mixing, config.width))
        self.attention = Attention(config.width, config.heads)
        self.mlp = MLP(config.width, config.hidden)

    def __call__(
        self,
        x_BTD: mx.array,
        embedded_BTD: mx.array,
        time_BF: mx.array,
        token_values_BTD: mx.array | None,
    ) -> mx.array:
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(rms_norm(x_BTD), self.attention_mixing)
        x_BTD = x_BTD + self.attention(y_BTD, token_values_BTD)
        return x_BTD + self.mlp(_mixed(rms_norm(x_BTD), self.mlp_mixing))


class Direction(nn.Module):
    """An LSTM that reads from left to right; one bias, as in every framework's twin."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.weight_x = mx.zeros((4 * hidden, width))
        self.weight_h = mx.zeros((4 * hidden, hidden))
        self.bias = mx.zeros(4 * hidden)
        self._lstm = nn.LSTM(width, hidden)  # its weights are ours, under MLX's names

    def __call__(self, y_BTD: mx.array) -> mx.array:
        lstm = self._lstm
        lstm.Wx, lstm.Wh, lstm.bias = self.weight_x, self.weight_h, self.bias
        h_BTH, _ = lstm(y_BTD)
        return h_BTH


class Layer(nn.Module):
    """A bidirectional LSTM that reads a normalised stream and adds to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.skip_scales = mx.zeros(2)
        self.time = nn.Linear(TIME_FEATURES, config.width, bias=False)
        self.mixing = mx.zeros((config.mixing, config.width))
        self.right = Direction(config.width, config.hidden)
        self.left = Direction(config.width, config.hidden)
        self.out = nn.Linear(2 * config.hidden, config.width, bias=False)

    def __call__(
        self,
        x_BTD: mx.array,
        embedded_BTD: mx.array,
        time_BF: mx.array,
        token_values_BTD: mx.array | None,
    ) -> mx.array:
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(rms_norm(x_BTD), self.mixing)
        if token_values_BTD is not None:
            y_BTD = y_BTD + token_values_BTD
        h_BTH = [self.right(y_BTD), self.left(y_BTD[:, ::-1])[:, ::-1]]
        return x_BTD + self.out(mx.concatenate(h_BTH, axis=-1))


class Model(nn.Module):
    """Reads noisy tokens in both directions, knows the time, predicts the clean tokens."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        D = config.width
        self.embed = nn.Embedding(config.num_symbols, D)
        self.time = nn.Linear(TIME_FEATURES, D, bias=False)
        self.mixing = mx.zeros((config.mixing, D))
        # A module is a dictionary, whose attribute `values` is taken.
        self["values"] = [nn.Embedding(config.num_symbols, D) for _ in range(config.value_tables)]
        self.ngrams, self.ngram_projections = NgramTables(config), NgramProjections(config)
        if config.denoiser == "transformer":
            self.blocks = [Block(config) for _ in range(config.depth)]
        else:
            self.layers = [Layer(config) for _ in range(config.depth)]
        self.rare = mx.zeros((1, D)) if config.num_common else None

    def table_index(self, noisy_BT: mx.array) -> dict[str, mx.array]:
        """Rows of the tables of n-grams that `features` reads, by name of the parameter."""
        return by_name(self.ngrams.index_around(noisy_BT, self.config.num_symbols))

    def features(
        self, noisy_BT: mx.array, steps_B: mx.array, table_rows: dict[str, mx.array] | None = None
    ) -> mx.array:
        """Final features [B, T, D], which the output weights turn into logits of clean tokens.

        With `table_rows`, the rows at `table_index`, the tables themselves are not read.
        """
        time_BF = _time_features(steps_B / self.config.num_steps)
        time_BF = time_BF.astype(self.embed.weight.dtype)
        index = self.ngrams.index_around(noisy_BT, self.config.num_symbols)
        ngrams_BTD = self.ngram_projections(self.ngrams(index, table_rows), "input")
        x_BTD = plus(self.embed(noisy_BT), ngrams_BTD)
        x_BTD = _mixed(rms_norm(x_BTD), self.mixing)
        x_BTD = rms_norm(x_BTD + self.time(time_BF)[:, None])
        embedded_BTD = x_BTD
        tables = [VALUE_SCALE * table(noisy_BT) for table in self["values"]]
        tables = [None] * (self.config.depth - len(tables)) + tables
        layers = self.blocks if self.config.denoiser == "transformer" else self.layers
        for layer, token_values_BTD in zip(layers, tables, strict=True):
            x_BTD = layer(x_BTD, embedded_BTD, time_BF, token_values_BTD)
        return rms_norm(x_BTD)

    def output(self) -> tuple[mx.array, mx.array | None, int]:
        """Output weights [V, D], the tail's entry [1, D], number of ids before the tail."""
        return self.embed.weight[: self.config.vocab], self.rare, self.config.num_common

    def loss_weights(self) -> tuple[float, float]:
        """Of the bound and of the cross-entropy in the training loss."""
        return self.config.bound_weight, self.config.auxiliary

    def bound_nats(
        self, log_probs_NV: mx.array, clean_N: mx.array, noisy_N: mx.array, steps_N: mx.array
    ) -> mx.array:
        """Terms [N] of the bound at one noise step each, times the number of steps.

        See `torch_model.py`: Austin et al. 2021, equation 1.
        """
        if self.config.transition == "absorbing":
            return -_picked(log_probs_NV, clean_N) * (self.config.num_steps / steps_N)
        S, V = self.config.num_steps, log_probs_NV.shape[1]
        evidence_N1 = log_evidence(steps_N, S, V, mx)[:, None]
        is_noisy_NV = mx.arange(V) == noisy_N[:, None]
        log_probs_NV = log_probs_NV - mx.where(is_noisy_NV, evidence_N1, 0.0)
        log_probs_NV = log_probs_NV - mx.logsumexp(log_probs_NV, axis=1, keepdims=True)
        picked = (_picked(log_probs_NV, clean_N), _picked(log_probs_NV, noisy_N))
        is_same_N = clean_N == noisy_N
        return S * uniform_divergence(log_probs_NV, (*picked, is_same_N), steps_N, S, mx)


def _picked(log_probs_NV: mx.array, index_N: mx.array) -> mx.array:
    return mx.take_along_axis(log_probs_NV, index_N[:, None], axis=1)[:, 0]


def _time_features(share_B: mx.array) -> mx.array:
    """Cosines and sines [B, F] of the share of noise, from half a wave to many."""
    frequencies_F = math.pi * 2.0 ** mx.arange(TIME_FEATURES // 2, dtype=mx.float32)
    angles_BF = share_B[:, None] * frequencies_F
    return mx.concatenate([mx.cos(angles_BF), mx.sin(angles_BF)], axis=-1)


def _mixed(x_BTD: mx.array, weights_MD: mx.array) -> mx.array:
    """A depthwise convolution over the places around each, zero beyond the ends."""
    M, T = len(weights_MD), x_BTD.shape[1]
    padded = mx.pad(x_BTD, [(0, 0), (M // 2, M // 2), (0, 0)])
    mixed = padded[:, :T] * weights_MD[0]
    for place in range(1, M):
        mixed = mixed + padded[:, place : place + T] * weights_MD[place]
    return mixed
