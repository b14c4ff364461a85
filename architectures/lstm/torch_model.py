"""The LSTM in PyTorch.

Shapes: B rows, T positions, D width, H hidden, G = 4 H gates in the order i, f, g, o, V vocab.
"""

import torch
from torch import Tensor, nn

from architectures.lstm.config import GATES, TABLE_SCALE, Config
from architectures.lstm.torch_recurrence import Recurrence, choose, recur, resumed
from architectures.networks import Cache, Kept
from architectures.torch_layers import NgramProjections, NgramTables, plus, rms_norm, token_shift

# Compilers would unroll the steps, or refuse; the kernel is as fast as they could hope to be.
_recur: Recurrence = torch.compiler.disable(recur)  # type: ignore[assignment]


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
        kept: Kept | None,
    ) -> Tensor:
        """The stream after this layer."""
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        y_BTD = rms_norm(x_BTD)
        if kept is None:
            states_BTH = _recur(y_BTD, *self._weights())
        else:
            if "weights" not in kept:
                kept["weights"] = self._weights()
            states_BTH, kept["state"] = resumed(y_BTD, *kept["weights"], state=kept.get("state"))
        added_BTD = self.out(states_BTH)
        if token_scales_BTD is not None:
            added_BTD = added_BTD * (1 + token_scales_BTD)
        return x_BTD + added_BTD

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of all gates by input [G, D] and by state [G, H], and biases [G]."""
        weight_x_GD = torch.cat([self.weight_x[gate] for gate in GATES])
        weight_h_GH = torch.cat([self.weight_h[gate] for gate in GATES])
        return weight_x_GD, weight_h_GH, self.bias


class Model(nn.Module):
    """A recurrent model with an exact likelihood; the backend makes its logits and its loss.

    Every row starts from a state of zero: nothing is carried from one row to the next.
    """

    rows_per_thread = 16  # in scoring: a position of all of them is one product

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.shift = nn.Parameter(torch.empty(config.width)) if config.token_shift else None
        self.token_scales = nn.ModuleList(
            nn.Embedding(config.vocab, config.width) for _ in range(config.token_scales)
        )
        self.ngrams, self.ngram_projections = NgramTables(config), NgramProjections(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.rare = nn.Parameter(torch.empty(1, config.width)) if config.num_common else None

    def features(self, tokens_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """Final features [B, T, D], which the output weights turn into logits.

        With a `cache` from `new_cache` the tokens follow those read into it.
        """
        stem = None if cache is None else cache.stem
        ngram_rows = self.ngrams(tokens_BT, stem)
        x_BTD = plus(self.embed(tokens_BT), self.ngram_projections(ngram_rows, "input"))
        x_BTD = rms_norm(x_BTD)
        if self.shift is not None:
            x_BTD = rms_norm(token_shift(x_BTD, self.shift, stem, "embedding"))
        embedded_BTD = x_BTD
        first_scaled = len(self.layers) - len(self.token_scales)
        for i, layer in enumerate(self.layers):
            scales_BTD = None
            if i >= first_scaled:
                scales_BTD = TABLE_SCALE * self.token_scales[i - first_scaled](tokens_BT)
            kept = None if cache is None else cache.layers[i]
            x_BTD = layer(x_BTD, embedded_BTD, scales_BTD, kept)
        return rms_norm(x_BTD)

    def new_cache(self) -> Cache:
        """An empty cache for one text: the state of every layer."""
        return Cache(self.config.depth)

    def output(self) -> tuple[Tensor, Tensor | None, int]:
        """Output weights [V, D], the tail's entry [1, D], number of ids before the tail."""
        return self.embed.weight, self.rare, self.config.num_common

    @staticmethod
    def warnings(device: str) -> tuple[str, ...]:
        """Which path the recurrence takes, where that is not to be taken for granted."""
        choice = choose(device)
        if device in ("cpu", "cuda") and choice.name == "fused":
            return ()
        return (f"the recurrence runs {choice.name}: {choice.why}",)
