"""LSTM: stacked recurrent layers (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

from architectures.lstm.config import LIKELIHOOD, PARAM_GROUPS, RECIPES, Config, initial
from architectures.lstm.flops import forward_flops
from architectures.lstm.sizes import for_params

__all__ = [
    "LIKELIHOOD",
    "PARAM_GROUPS",
    "RECIPES",
    "Config",
    "for_params",
    "forward_flops",
    "initial",
]
