"""The LSTM in PyTorch.

Shapes: B rows, T positions, D width, H hidden, G = 4 H gates in the order i, f, g, o, V vocab.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.lstm import GATES, TABLE_SCALE, Config
from architectures.lstm.torch_recurrence import Recurrence, choose, recur


class Layer(nn.Module):
    """A recurrence that reads the normalised stream and adds to it, scaled by the token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        D, H = config.width, config.hidden
        self.skip_scales = nn.Parameter(torch.empty(2)) if config.skip_scales else None
        self.weight_x = nn.ParameterDict({gate: torch.empty(H, D) for gate in GATES})
        self.weight_h = nn.ParameterDict({gate: torch.empty(H, H) for gate in GATES})
        self.bias = nn.Parameter(torch.empty(len(GATES) * H))
        self.out = nn.Linear(H, D, bias=False)

    def forward(
        self, x_BTD: Tensor, embedded_BTD: Tensor, token_scales_BTD: Tensor | None
    ) -> Tensor:
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        weight_x_GD = torch.cat([self.weight_x[gate] for gate in GATES])
        weight_h_GH = torch.cat([self.weight_h[gate] for gate in GATES])
        added_BTD = self.out(_recur(_rms_norm(x_BTD), weight_x_GD, weight_h_GH, self.bias))
        if token_scales_BTD is not None:
            added_BTD = added_BTD * (1 + TABLE_SCALE * token_scales_BTD)
        return x_BTD + added_BTD


class Model(nn.Module):
    """An exact model: `features` and `output` make the logits, in the backend's hands.

    Every row starts from a state of zero: nothing is carried from one row to the next.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.shift = nn.Parameter(torch.empty(config.width)) if config.token_shift else None
        self.token_scales = nn.ModuleList(
            nn.Embedding(config.vocab, config.width) for _ in range(config.token_scales)
        )
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.rare = nn.Parameter(torch.empty(1, config.width)) if config.num_common else None

    def features(self, tokens_BT: Tensor) -> Tensor:
        """[B, T, D]: what the output weights turn into logits."""
        x_BTD = _rms_norm(self.embed(tokens_BT))
        if self.shift is not None:  # Peng et al. 2023
            x_BTD = _rms_norm(x_BTD + F.pad(x_BTD, (0, 0, 1, 0))[:, :-1] * self.shift)
        embedded_BTD = x_BTD
        first_scaled = len(self.layers) - len(self.token_scales)
        for i, layer in enumerate(self.layers):
            is_scaled = i >= first_scaled
            scales_BTD = self.token_scales[i - first_scaled](tokens_BT) if is_scaled else None
            x_BTD = layer(x_BTD, embedded_BTD, scales_BTD)
        return _rms_norm(x_BTD)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
        return self.embed.weight, self.rare, self.config.num_common

    @staticmethod
    def remarks(device: str) -> tuple[str, ...]:
        """Which path the recurrence takes, where that is not to be taken for granted."""
        choice = choose(device)
        if device in ("cpu", "cuda") and choice.name == "fused":
            return ()
        return (f"the recurrence runs {choice.name}: {choice.why}",)


# Compilers would unroll the steps, or refuse; the kernel is as fast as they could hope to be.
_recur: Recurrence = torch.compiler.disable(recur)  # type: ignore[assignment]


def _rms_norm(x: Tensor) -> Tensor:
    """Without gains (Zhang & Sennrich 2019): the matrices after it can scale as well."""
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)
