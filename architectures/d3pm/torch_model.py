"""The denoisers of D3PM in PyTorch, and the bound's terms.

Shapes: B rows, T positions, D width, N heads (tokens in `bound_nats`), K head size, H hidden,
V vocab, M places that mixing sees, F features of time.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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

    def forward(
        self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor], token_values_BTD: Tensor | None
    ) -> Tensor:
        B, T, D = x_BTD.shape
        weight_3D_D = torch.cat((self.query.weight, self.key.weight, self.value.weight))
        q, k, v_BTD = F.linear(x_BTD, weight_3D_D).chunk(3, dim=-1)
        if token_values_BTD is not None:
            v_BTD = v_BTD + VALUE_SCALE * token_values_BTD
        split = (B, T, self.heads, D // self.heads)
        y_BNTK = F.scaled_dot_product_attention(
            _rotate(_rms_norm(q.reshape(split)), rotary).transpose(1, 2),
            _rotate(_rms_norm(k.reshape(split)), rotary).transpose(1, 2),
            v_BTD.reshape(split).transpose(1, 2),
            scale=_QK_SCALE,
        )
        return self.out(y_BNTK.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    """Squared ReLU (So et al. 2021)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x_BTD)).square())


class Block(nn.Module):
    """Attention and MLP, each reading a normalised stream mixed with its neighbours."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.skip_scales = nn.Parameter(torch.empty(2))
        self.time = nn.Linear(TIME_FEATURES, config.width, bias=False)
        self.attention_mixing = nn.Parameter(torch.empty(config.mixing, config.width))
        self.mlp_mixing = nn.Parameter(torch.empty(config.mixing, config.width))
        self.attention, self.mlp = Attention(config), MLP(config)

    def forward(
        self,
        x_BTD: Tensor,
        embedded_BTD: Tensor,
        time_BF: Tensor,
        rotary: tuple[Tensor, Tensor],
        token_values_BTD: Tensor | None,
    ) -> Tensor:
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(_rms_norm(x_BTD), self.attention_mixing)
        x_BTD = x_BTD + self.attention(y_BTD, rotary, token_values_BTD)
        return x_BTD + self.mlp(_mixed(_rms_norm(x_BTD), self.mlp_mixing))


class Direction(nn.Module):
    """The weights of an LSTM that reads one way; one bias, as in every framework's twin."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.weight_x = nn.Parameter(torch.empty(4 * hidden, width))
        self.weight_h = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.empty(4 * hidden))

    def weights(self) -> list[Tensor]:
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
        x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        x_BTD = x_BTD + self.time(time_BF)[:, None]
        y_BTD = _mixed(_rms_norm(x_BTD), self.mixing)
        if token_values_BTD is not None:
            y_BTD = y_BTD + VALUE_SCALE * token_values_BTD
        weights = self.right.weights() + self.left.weights()
        return x_BTD + self.out(_both_ways(y_BTD, self.hidden, weights))


def _read(x_BTD: Tensor, hidden: int, weights: list[Tensor]) -> Tensor:
    """States [B, T, 2 hidden] of an LSTM from the left and one from the right."""
    state = x_BTD.new_zeros(2, len(x_BTD), hidden)
    return torch.lstm(x_BTD, (state, state), weights, True, 1, 0.0, True, True, True)[0]


_both_ways: Any = torch.compiler.disable(_read)  # compilers would unroll the steps


class Model(nn.Module):
    """Reads noisy tokens in both directions, knows the time, predicts the clean tokens."""

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
        if config.denoiser == "transformer":
            self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
            angles_TK = _angles(config.context + 1, D // config.heads)
            self.register_buffer("cos", angles_TK.cos(), persistent=False)
            self.register_buffer("sin", angles_TK.sin(), persistent=False)
        else:
            self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.rare = nn.Parameter(torch.empty(1, D)) if config.num_common else None

    def features(self, noisy_BT: Tensor, steps_B: Tensor) -> Tensor:
        """[B, T, D]: what the output weights turn into logits of the clean tokens."""
        T = noisy_BT.shape[1]
        time_BF = _time_features(steps_B / self.config.num_steps)
        x_BTD = _mixed(_rms_norm(self.embed(noisy_BT)), self.mixing)
        x_BTD = _rms_norm(x_BTD + self.time(time_BF)[:, None])
        embedded_BTD = x_BTD
        first_with_values = self.config.depth - len(self.values)
        tables = [None] * first_with_values + [table(noisy_BT) for table in self.values]
        if self.config.denoiser == "lstm":
            for layer, token_values in zip(self.layers, tables, strict=True):
                x_BTD = layer(x_BTD, embedded_BTD, time_BF, token_values)
            return _rms_norm(x_BTD)
        rotary = (self.get_buffer("cos")[:T, None], self.get_buffer("sin")[:T, None])
        for block, token_values in zip(self.blocks, tables, strict=True):
            x_BTD = block(x_BTD, embedded_BTD, time_BF, rotary, token_values)
        return _rms_norm(x_BTD)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
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
            nats_N = -log_probs_NV.gather(1, clean_N[:, None])[:, 0]
            return nats_N * (self.config.num_steps / steps_N)
        return self.config.num_steps * _uniform_divergence(
            log_probs_NV, clean_N, noisy_N, steps_N, self.config.num_steps
        )


def _uniform_divergence(
    log_probs_NV: Tensor, clean_N: Tensor, noisy_N: Tensor, steps_N: Tensor, num_steps: int
) -> Tensor:
    """KL(q(x_s | x_t, x_0) || p(x_s | x_t)) [N] for s = t - 1 under the uniform transition.

    The predicted reverse step is the true one averaged over the predicted x_0. Austin et al.
    (equation 4) weight by q(x_s, x_t | x_0) instead, which counts the evidence of x_t twice
    where predictions are trained by cross-entropy; so that evidence is taken out first.

    With q(x_t = k | x_s = j) = stays [j = k] + moves, and over x_s the true n_j = kept [j = x_0]
    + c and the predicted m_j = kept p_j + c, the posteriors are products of the first with n
    or m, and the divergence needs only the sum of log m_j and the entries at x_0 and x_t.
    """
    V = log_probs_NV.shape[1]
    noise_N = steps_N / num_steps
    evidence_N = ((1 - noise_N) * V / noise_N).log1p()  # ln q(x_t | x_0 = x_t) / q(x_t | another)
    log_probs_NV = log_probs_NV.scatter_add(1, noisy_N[:, None], -evidence_N[:, None])
    log_probs_NV = log_probs_NV.log_softmax(dim=-1)
    kept = 1 - (steps_N - 1) / num_steps  # of x_0 in x_s
    stays = (1 - steps_N / num_steps) / kept  # of x_s in x_t
    moves, c = (1 - stays) / V, (1 - kept) / V
    log_p_clean = log_probs_NV.gather(1, clean_N[:, None])[:, 0]
    log_p_noisy = log_probs_NV.gather(1, noisy_N[:, None])[:, 0]
    m_clean, m_noisy = kept * log_p_clean.exp() + c, kept * log_p_noisy.exp() + c
    # KL(n || m); at c = 0 all of n is at x_0.
    safe_c = c.clamp(min=1e-30)
    log_m_over_c = (kept / safe_c)[:, None] * log_probs_NV.exp()
    others = -c * (log_m_over_c.log1p().sum(dim=1) - (m_clean / safe_c).log())
    n_clean = kept + c
    log_m_clean = torch.where(c > 0, m_clean.clamp(min=1e-37).log(), log_p_clean)
    total = torch.where(c > 0, others, 0.0) + n_clean * (n_clean.log() - log_m_clean)
    # What the noisy token adds, in the form that does not cancel (see README).
    same = clean_N == noisy_N
    n_noisy = torch.where(same, n_clean, c)
    z = stays * n_noisy + moves
    moved = moves / z
    log_m_noisy = torch.where(c > 0, m_noisy.clamp(min=1e-37).log(), log_p_noisy)
    ratio = (n_noisy.clamp(min=1e-37).log() - log_m_noisy).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    small = -moved * ratio + (moved * ratio.expm1()).clamp(min=-0.999999).log1p()
    large = (1 - moved) * ratio + (stays * m_noisy / z + moved).log()
    return moved * total + torch.where((moved < 0.5) | (ratio >= 0), small, large)


def _time_features(share_B: Tensor) -> Tensor:
    """Cosines and sines [B, F] of the share of noise, from half a wave to many."""
    frequencies_F = math.pi * 2.0 ** torch.arange(
        TIME_FEATURES // 2, dtype=torch.float32, device=share_B.device
    )
    angles_BF = share_B[:, None] * frequencies_F
    return torch.cat((angles_BF.cos(), angles_BF.sin()), dim=-1)


def _rms_norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


def _mixed(x_BTD: Tensor, weights_MD: Tensor) -> Tensor:
    """A depthwise convolution over the places around each, zero beyond the ends."""
    M, T = len(weights_MD), x_BTD.shape[1]
    padded = F.pad(x_BTD, (0, 0, M // 2, M // 2))
    mixed = padded[:, :T] * weights_MD[0]
    for place in range(1, M):
        mixed = mixed + padded[:, place : place + T] * weights_MD[place]
    return mixed


def _angles(length: int, head_size: int) -> Tensor:
    """Rotary angles [length, head_size / 2] (Su et al. 2021), wavelengths 2 pi to 2 pi 1024."""
    frequency_K = 1024.0 ** -torch.linspace(0, 1, head_size // 2)
    return torch.arange(length, dtype=torch.float32)[:, None] * frequency_K


def _rotate(x_BTNK: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = rotary
    a, b = x_BTNK.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)
