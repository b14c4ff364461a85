"""The LSTM in MLX, the twin of `torch_model.py`.

Shapes: B rows, T positions, D width, H hidden, G = 4 H gates in the order i, f, g, o, V vocab.
"""

import mlx.core as mx
import mlx.nn as nn

from architectures.lstm import GATES, TABLE_SCALE, Config


class LayerCache:
    """State of one layer after the last token; None where a text begins."""

    state: tuple[mx.array, mx.array] | None = None  # hidden and cell [B, H]


class Cache:
    """What the model keeps of a text, so that its next token costs one token."""

    def __init__(self, config: Config) -> None:
        self.last_B1D = mx.zeros((1, 1, config.width))  # as the shift reads it
        self.layers = [LayerCache() for _ in range(config.depth)]

    def before(self, x_BTD: mx.array) -> mx.array:
        """The token before each [B, T, D]; the last of them is kept for the next call."""
        before_BTD = mx.concatenate([self.last_B1D, x_BTD[:, :-1]], axis=1)
        self.last_B1D = x_BTD[:, -1:]
        return before_BTD


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
        cache: LayerCache | None,
    ) -> mx.array:
        if self.skip_scales is not None:
            x_BTD = self.skip_scales[0] * x_BTD + self.skip_scales[1] * embedded_BTD
        lstm = self._lstm
        lstm.Wx = mx.concatenate([self.weight_x[gate] for gate in GATES])
        lstm.Wh = mx.concatenate([self.weight_h[gate] for gate in GATES])
        lstm.bias = self.bias
        before = (cache and cache.state) or (None, None)
        states_BTH, cells_BTH = lstm(_rms_norm(x_BTD), *before)
        if cache is not None:
            cache.state = states_BTH[:, -1], cells_BTH[:, -1]
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
        self.shift = mx.zeros(config.width) if config.token_shift else None
        self.token_scales = [
            nn.Embedding(config.vocab, config.width) for _ in range(config.token_scales)
        ]
        self.layers = [Layer(config) for _ in range(config.depth)]
        self.rare = mx.zeros((1, config.width)) if config.num_common else None

    def features(self, tokens_BT: mx.array, cache: Cache | None = None) -> mx.array:
        """[B, T, D]: what the output weights turn into logits; with a `cache` from
        `new_cache`, of the tokens that follow those read into it."""
        x_BTD = _rms_norm(self.embed(tokens_BT))
        if self.shift is not None:  # Peng et al. 2023
            if cache is None:
                before_BTD = mx.pad(x_BTD, [(0, 0), (1, 0), (0, 0)])[:, :-1]
            else:
                before_BTD = cache.before(x_BTD)
            x_BTD = _rms_norm(x_BTD + before_BTD * self.shift)
        embedded_BTD = x_BTD
        tables = [table(tokens_BT) for table in self.token_scales]
        tables = [None] * (len(self.layers) - len(tables)) + tables
        caches = [None] * len(self.layers) if cache is None else cache.layers
        for layer, token_scales_BTD, kept in zip(self.layers, tables, caches, strict=True):
            x_BTD = layer(x_BTD, embedded_BTD, token_scales_BTD, kept)
        return _rms_norm(x_BTD)

    def new_cache(self) -> Cache:
        """What `features` keeps of one text to read on from: the state of every layer."""
        return Cache(self.config)

    def output(self) -> tuple[mx.array, mx.array | None, int]:
        """Output weights [V, D], the entry [1, D] for rare tokens, number of common ones."""
        return self.embed.weight, self.rare, self.config.num_common


def _rms_norm(x: mx.array) -> mx.array:
    """Without gains (Zhang & Sennrich 2019): the matrices after it can scale as well."""
    return mx.fast.rms_norm(x, None, 1e-6)
