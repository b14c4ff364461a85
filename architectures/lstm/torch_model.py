"""The LSTM in PyTorch.

Shapes: B rows, T positions, D width, H hidden, G = 4 H gates in the order i, f, g, o, V vocab.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from architectures.lstm import GATES, TABLE_SCALE, Config
from architectures.lstm.torch_recurrence import Recurrence, State, choose, recur, resumed


class LayerCache:
    """State of one layer after the last token; None where a text begins."""

    state: State | None = None


class Cache:
    """What the model keeps of a text, so that its next token costs one token."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.last_B1D = torch.zeros(1, 1, config.width, device=device)  # as the shift reads it
        self.layers = [LayerCache() for _ in range(config.depth)]

    def before(self, x_BTD: Tensor) -> Tensor:
        """The token before each [B, T, D]; the last of them is kept for the next call."""
        before_BTD = torch.cat((self.last_B1D, x_BTD[:, :-1]), dim=1)
        self.last_B1D = x_BTD[:, -1:]
        return before_BTD


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
        self,
        x_BTD: Tensor,
        embedded_BTD: Tensor,
        token_scales_BTD: Tensor | None,
        cache: LayerCache | None,
    ) -> Tensor:
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        weight_x_GD = torch.cat([self.weight_x[gate] for gate in GATES])
        weight_h_GH = torch.cat([self.weight_h[gate] for gate in GATES])
        y_BTD = _rms_norm(x_BTD)
        if cache is None:
            states_BTH = _recur(y_BTD, weight_x_GD, weight_h_GH, self.bias)
        else:
            weights = (weight_x_GD, weight_h_GH, self.bias)
            states_BTH, cache.state = resumed(y_BTD, *weights, cache.state)
        added_BTD = self.out(states_BTH)
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

    def features(self, tokens_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """[B, T, D]: what the output weights turn into logits; with a `cache` from
        `new_cache`, of the tokens that follow those read into it."""
        x_BTD = _rms_norm(self.embed(tokens_BT))
        if self.shift is not None:  # Peng et al. 2023
            if cache is None:
                before_BTD = F.pad(x_BTD, (0, 0, 1, 0))[:, :-1]
            else:
                before_BTD = cache.before(x_BTD)
            x_BTD = _rms_norm(x_BTD + before_BTD * self.shift)
        embedded_BTD = x_BTD
        first_scaled = len(self.layers) - len(self.token_scales)
        for i, layer in enumerate(self.layers):
            is_scaled = i >= first_scaled
            scales_BTD = self.token_scales[i - first_scaled](tokens_BT) if is_scaled else None
            kept = None if cache is None else cache.layers[i]
            x_BTD = layer(x_BTD, embedded_BTD, scales_BTD, kept)
        return _rms_norm(x_BTD)

    def new_cache(self) -> Cache:
        """What `features` keeps of one text to read on from: the state of every layer."""
        return Cache(self.config, self.embed.weight.device)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
        return self.embed.weight, self.rare, self.config.num_common

    @staticmethod
    def warnings(device: str) -> tuple[str, ...]:
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
