"""The denoisers of D3PM in MLX, and the bound's terms: the twin of `torch_model.py`.

Shapes: B rows, T positions, D width, N heads (tokens in `bound_nats`), K head size, H hidden,
V vocab, M places that mixing sees, F features of time.
"""

import math

import mlx.core as mx
import mlx.nn as nn

from architectures.d3pm import TIME_FEATURES, VALUE_SCALE, Config

# With normalised queries and keys 1/sqrt(K) leaves attention too flat (modded-nanogpt: 0.12).
_QK_SCALE = 0.12
_MAX_LOG_RATIO = 60.0  # exp of it is a number in fp32


class Attention(nn.Module):
    """Multi-head attention in both directions, with rotary positions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        D = config.width
        self.query = nn.Linear(D, D, bias=False)
        self.key = nn.Linear(D, D, bias=False)
        self.value = nn.Linear(D, D, bias=False)
        self.out = nn.Linear(D, D, bias=False)

    def __call__(self, x_BTD: mx.array, token_values_BTD: mx.array | None) -> mx.array:
        B, T, D = x_BTD.shape
        weight_3D_D = mx.concatenate([self.query.weight, self.key.weight, self.value.weight])
        q, k, v_BTD = mx.split(x_BTD @ weight_3D_D.T, 3, axis=-1)
        if token_values_BTD is not None:
            v_BTD = v_BTD + VALUE_SCALE * token_values_BTD
        q_BNTK, k_BNTK, v_BNTK = (
            y.reshape(B, T, self.heads, D // self.heads).transpose(0, 2, 1, 3)
            for y in (q, k, v_BTD)
        )
        y_BNTK = mx.fast.scaled_dot_product_attention(
            _rotate(_rms_norm(q_BNTK)), _rotate(_rms_norm(k_BNTK)), v_BNTK, scale=_QK_SCALE
        )
        return self.out(y_BNTK.transpose(0, 2, 1, 3).reshape(B, T, D))


class MLP(nn.Module):
    """Squared ReLU (So et al. 2021)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def __call__(self, x_BTD: mx.array) -> mx.array:
        return self.down(mx.maximum(self.up(x_BTD), 0.0).square())


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream mixed with its neighbours."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.skip_scales = mx.zeros(2)
        self.time = nn.Linear(TIME_FEATURES, config.width, bias=False)
        self.attention_mixing = mx.zeros((config.mixing, config.width))
        self.mlp_mixing = mx.zeros((config.mixing, config.width))
        self.attention, self.mlp = Attention(config), MLP(config)

    def __call__(
        self,
        x_BTD: mx.array,
        embedded_BTD: mx.array,
        time_BF: mx.array,
        token_values_BTD: mx.array | None,
    ) -> mx.array:
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(_rms_norm(x_BTD), self.attention_mixing)
        x_BTD = x_BTD + self.attention(y_BTD, token_values_BTD)
        return x_BTD + self.mlp(_mixed(_rms_norm(x_BTD), self.mlp_mixing))


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
        y_BTD = _mixed(_rms_norm(x_BTD), self.mixing)
        if token_values_BTD is not None:
            y_BTD = y_BTD + VALUE_SCALE * token_values_BTD
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
        if config.denoiser == "transformer":
            self.blocks = [Block(config) for _ in range(config.depth)]
        else:
            self.layers = [Layer(config) for _ in range(config.depth)]
        self.rare = mx.zeros((1, D)) if config.num_common else None

    def features(self, noisy_BT: mx.array, steps_B: mx.array) -> mx.array:
        """[B, T, D]: what the output weights turn into logits of the clean tokens."""
        time_BF = _time_features(steps_B / self.config.num_steps)
        time_BF = time_BF.astype(self.embed.weight.dtype)
        x_BTD = _mixed(_rms_norm(self.embed(noisy_BT)), self.mixing)
        x_BTD = _rms_norm(x_BTD + self.time(time_BF)[:, None])
        embedded_BTD = x_BTD
        tables = [table(noisy_BT) for table in self["values"]]
        tables = [None] * (self.config.depth - len(tables)) + tables
        layers = self.blocks if self.config.denoiser == "transformer" else self.layers
        for layer, token_values_BTD in zip(layers, tables, strict=True):
            x_BTD = layer(x_BTD, embedded_BTD, time_BF, token_values_BTD)
        return _rms_norm(x_BTD)

    def output(self) -> tuple[mx.array, mx.array | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
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
        return self.config.num_steps * _uniform_divergence(
            log_probs_NV, clean_N, noisy_N, steps_N, self.config.num_steps
        )


def _uniform_divergence(
    log_probs_NV: mx.array, clean_N: mx.array, noisy_N: mx.array, steps_N: mx.array, num_steps: int
) -> mx.array:
    """KL(q(x_s | x_t, x_0) || p(x_s | x_t)) [N] for s = t - 1 under the uniform transition.

    The derivation stands in `torch_model.py`; here are the same operations in the same order.
    """
    V = log_probs_NV.shape[1]
    noise_N = steps_N / num_steps
    evidence_N = mx.log1p((1 - noise_N) * V / noise_N)  # ln q(x_t | x_0 = x_t) / q(x_t | another)
    is_noisy_NV = mx.arange(V) == noisy_N[:, None]
    log_probs_NV = log_probs_NV - mx.where(is_noisy_NV, evidence_N[:, None], 0.0)
    log_probs_NV = log_probs_NV - mx.logsumexp(log_probs_NV, axis=1, keepdims=True)
    kept = 1 - (steps_N - 1) / num_steps  # of x_0 in x_s
    stays = (1 - steps_N / num_steps) / kept  # of x_s in x_t
    moves, c = (1 - stays) / V, (1 - kept) / V
    log_p_clean, log_p_noisy = _picked(log_probs_NV, clean_N), _picked(log_probs_NV, noisy_N)
    m_clean, m_noisy = kept * mx.exp(log_p_clean) + c, kept * mx.exp(log_p_noisy) + c
    # KL(n || m); at c = 0 all of n is at x_0.
    safe_c = mx.maximum(c, 1e-30)
    log_m_over_c = (kept / safe_c)[:, None] * mx.exp(log_probs_NV)
    others = -c * (mx.log1p(log_m_over_c).sum(axis=1) - mx.log(m_clean / safe_c))
    n_clean = kept + c
    log_m_clean = mx.where(c > 0, mx.log(mx.maximum(m_clean, 1e-37)), log_p_clean)
    total = mx.where(c > 0, others, 0.0) + n_clean * (mx.log(n_clean) - log_m_clean)
    # What the noisy token adds, in the form that does not cancel (see README).
    n_noisy = mx.where(clean_N == noisy_N, n_clean, c)
    z = stays * n_noisy + moves
    moved = moves / z
    log_m_noisy = mx.where(c > 0, mx.log(mx.maximum(m_noisy, 1e-37)), log_p_noisy)
    ratio = mx.log(mx.maximum(n_noisy, 1e-37)) - log_m_noisy
    ratio = mx.clip(ratio, -_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    small = -moved * ratio + mx.log1p(mx.maximum(moved * mx.expm1(ratio), -0.999999))
    large = (1 - moved) * ratio + mx.log(stays * m_noisy / z + moved)
    return moved * total + mx.where((moved < 0.5) | (ratio >= 0), small, large)


def _picked(log_probs_NV: mx.array, index_N: mx.array) -> mx.array:
    return mx.take_along_axis(log_probs_NV, index_N[:, None], axis=1)[:, 0]


def _time_features(share_B: mx.array) -> mx.array:
    """Cosines and sines [B, F] of the share of noise, from half a wave to many."""
    frequencies_F = math.pi * 2.0 ** mx.arange(TIME_FEATURES // 2, dtype=mx.float32)
    angles_BF = share_B[:, None] * frequencies_F
    return mx.concatenate([mx.cos(angles_BF), mx.sin(angles_BF)], axis=-1)


def _rms_norm(x: mx.array) -> mx.array:
    return mx.fast.rms_norm(x, None, 1e-6)


def _mixed(x_BTD: mx.array, weights_MD: mx.array) -> mx.array:
    """A depthwise convolution over the places around each, zero beyond the ends."""
    M, T = len(weights_MD), x_BTD.shape[1]
    padded = mx.pad(x_BTD, [(0, 0), (M // 2, M // 2), (0, 0)])
    mixed = padded[:, :T] * weights_MD[0]
    for place in range(1, M):
        mixed = mixed + padded[:, place : place + T] * weights_MD[place]
    return mixed


def _rotate(x_BNTK: mx.array) -> mx.array:
    """Rotary positions (Su et al. 2021), halves rotated against each other.

    `freqs` are angles' divisors: wavelengths 2 pi to 2 pi 1024.
    """
    K = x_BNTK.shape[-1]
    freqs_K = 1024.0 ** mx.linspace(0, 1, K // 2)
    return mx.fast.rope(x_BNTK, K, traditional=False, base=None, scale=1.0, offset=0, freqs=freqs_K)
