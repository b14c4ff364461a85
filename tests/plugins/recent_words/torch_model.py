"""Recent words in PyTorch.

Shapes: B rows, T positions, D width, N bags, K width of a bag, V vocab.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import Config


class Model(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        D = config.width
        self.embed = nn.Embedding(config.vocab, D)
        self.speeds = nn.Parameter(torch.empty(config.num_bags))
        self.up = nn.Linear(2 * D, 4 * D, bias=False)
        self.down = nn.Linear(4 * D, D, bias=False)

    def features(self, tokens_BT: Tensor) -> Tensor:
        B, T = tokens_BT.shape
        x_BTD = _rms_norm(self.embed(tokens_BT))
        places = torch.arange(T, device=tokens_BT.device)
        ages_TT = (places[:, None] - places[None]).float()
        kept_NTT = torch.exp(F.logsigmoid(self.speeds)[:, None, None] * ages_TT.clamp(min=0))
        kept_NTT = torch.where(ages_TT >= 0, kept_NTT, 0.0)
        x_BTNK = x_BTD.view(B, T, len(self.speeds), -1)
        bags_BTD = torch.einsum("nts,bsnk->btnk", kept_NTT, x_BTNK).reshape(x_BTD.shape)
        y_BTD = torch.cat((x_BTD, _rms_norm(bags_BTD)), dim=-1)
        return _rms_norm(x_BTD + self.down(F.relu(self.up(y_BTD)).square()))

    def output(self) -> tuple[Tensor, None, int]:
        return self.embed.weight, None, 0


def _rms_norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)
