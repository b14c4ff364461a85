"""Recent words in MLX.

Shapes: B rows, T positions, D width, N bags, K width of a bag, V vocab.
"""
# pyright: reportMissingImports=false

import mlx.core as mx
import mlx.nn as nn

from . import Config


class Model(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        D = config.width
        self.embed = nn.Embedding(config.vocab, D)
        self.speeds = mx.zeros(config.num_bags)
        self.up = nn.Linear(2 * D, 4 * D, bias=False)
        self.down = nn.Linear(4 * D, D, bias=False)

    def features(self, tokens_BT: mx.array) -> mx.array:
        B, T = tokens_BT.shape
        x_BTD = _rms_norm(self.embed(tokens_BT))
        places = mx.arange(T)
        ages_TT = (places[:, None] - places[None]).astype(mx.float32)
        kept_NTT = mx.exp(nn.log_sigmoid(self.speeds)[:, None, None] * mx.maximum(ages_TT, 0))
        kept_NTT = mx.where(ages_TT >= 0, kept_NTT, 0.0).astype(x_BTD.dtype)
        x_BTNK = x_BTD.reshape(B, T, self.speeds.shape[0], -1)
        bags_BTD = mx.einsum("nts,bsnk->btnk", kept_NTT, x_BTNK).reshape(x_BTD.shape)
        y_BTD = mx.concatenate([x_BTD, _rms_norm(bags_BTD)], axis=-1)
        return _rms_norm(x_BTD + self.down(mx.square(nn.relu(self.up(y_BTD)))))

    def output(self) -> tuple[mx.array, None, int]:
        return self.embed.weight, None, 0


def _rms_norm(x: mx.array) -> mx.array:
    return mx.fast.rms_norm(x, None, 1e-6)
