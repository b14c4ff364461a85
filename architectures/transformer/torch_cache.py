"""What the transformer keeps of a text in PyTorch, so that its next token costs one token.

Shapes: B rows (one), T positions, D width, N heads, K head size.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from architectures.transformer import Config


class Last:
    """The token before the next one, as one shift reads it; zero where a text begins."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.x_B1D = torch.zeros(1, 1, config.width, device=device)

    def before(self, x_BTD: Tensor) -> Tensor:
        """The token before each [B, T, D]; the last of them is kept for the next call."""
        before_BTD = torch.cat((self.x_B1D, x_BTD[:, :-1]), dim=1)
        self.x_B1D = x_BTD[:, -1:]
        return before_BTD


class KeysValues:
    """Keys (turned to their places) and values of one layer's attention."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.num_read = 0
        shape = (1, config.heads, config.context, config.width // config.heads)
        self._keys_BNTK = torch.empty(shape, device=device)
        self._values_BNTK = torch.empty(shape, device=device)

    def append(self, k_BNTK: Tensor, v_BNTK: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of all tokens so far, these being the last."""
        new = slice(self.num_read, self.num_read + k_BNTK.shape[2])
        self._keys_BNTK[:, :, new] = k_BNTK
        self._values_BNTK[:, :, new] = v_BNTK
        self.num_read = new.stop
        return self._keys_BNTK[:, :, : new.stop], self._values_BNTK[:, :, : new.stop]


class BlockCache(NamedTuple):
    """What one block keeps: for its attention, and for its two shifts."""

    keys_values: KeysValues
    attention_last: Last
    mlp_last: Last


class Cache:
    """What the whole model keeps of at most `context` tokens of one text."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.last = Last(config, device)
        self.blocks = [
            BlockCache(KeysValues(config, device), Last(config, device), Last(config, device))
            for _ in range(config.depth)
        ]

    @property
    def num_read(self) -> int:
        """Tokens read so far: the place of the next one."""
        return self.blocks[0].keys_values.num_read
