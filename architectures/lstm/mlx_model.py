"""The LSTM in MLX, the twin of `torch_model.py`.

Shapes: B rows, T positions, D width, H hidden, G = 4 H gates in the order i, f, g, o, V vocab.
"""

import mlx.core as mx
import mlx.nn as nn

from architectures.lstm.config import GATES, TABLE_SCALE, Config
from architectures.mlx_layers import (
    NgramProjections,
    NgramTables,
    by_name,
    plus,
    rms_norm,
    token_shift,
)
from architectures.networks import Cache, Kept


class Layer(nn.Module):
    """A recurrence that reads the normalised stream and adds to it, scaled by the token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        D, H = config.width, config.hidden
        self.skip_scales = mx.zeros(2) if config.skip_scales else None
        self.weight_x = {gate: mx.zeros((H, D)) for gate in GATES}
        self.weight_h = {gate: mx.zeros((H, H)) for gate in GATES}
        self.bias = mx.zeros(len(GATES) * H)  # one, as `mlx.nn.LSTM` has it
        self.out = nn.Linear(H, D, bias=False)
        self._lstm = nn.LSTM(D, H)  # its weights are those above, all gates in one

    def __call__(
        self,
        x_BTD: mx.array,
        embedded_BTD: mx.array,
        token_scales_BTD: mx.array | None,
        kept: Kept | None,
    ) -> mx.array:
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        lstm = self._lstm
        lstm.Wx = mx.concatenate([self.weight_x[gate] for gate in GATES])
        lstm.Wh = mx.concatenate([self.weight_h[gate] for gate in GATES])
        lstm.bias = self.bias
        state = (None, None) if kept is None else kept.get("state", (None, None))
        states_BTH, cells_BTH = lstm(rms_norm(x_BTD), *state)
        if kept is not None:
            kept["state"] = states_BTH[:, -1], cells_BTH[:, -1]
        added_BTD = self.out(states_BTH)
        if token_scales_BTD is not None:
            added_BTD = added_BTD * (1 + token_scales_BTD)
        return x_BTD + added_BTD


class Model(nn.Module):
    """A recurrent model with an exact likelihood; the backend makes its logits and its loss.

    Every row starts from a state of zero: nothing is carried from one row to the next.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.shift = mx.zeros(config.width) if config.token_shift else None
        self.token_scales = [
            nn.Embedding(config.vocab, config.width) for _ in range(config.token_scales)
        ]
        self.ngrams, self.ngram_projections = NgramTables(config), NgramProjections(config)
        self.layers = [Layer(config) for _ in range(config.depth)]
        self.rare = mx.zeros((1, config.width)) if config.num_common else None

    def table_index(self, tokens_BT: mx.array) -> dict[str, mx.array]:
        """Rows of the tables of n-grams that `features` reads, by name of the parameter."""
        return by_name(self.ngrams.index(tokens_BT))

    def features(
        self,
        tokens_BT: mx.array,
        cache: Cache | None = None,
        table_rows: dict[str, mx.array] | None = None,
    ) -> mx.array:
        """Final features [B, T, D], which the output weights turn into logits.

        With a `cache` from `new_cache` the tokens follow those read into it. With `table_rows`,
        the rows at `table_index`, the tables themselves are not read.
        """
        stem = None if cache is None else cache.stem
        ngram_rows = self.ngrams(self.ngrams.index(tokens_BT, stem), table_rows)
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

    def output(self) -> tuple[mx.array, mx.array | None, int]:
        """Output weights [V, D], the tail's entry [1, D], number of ids before the tail."""
        return self.embed.weight, self.rare, self.config.num_common
