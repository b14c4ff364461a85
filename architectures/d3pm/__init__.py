"""D3PM: discrete diffusion over tokens (Austin et al. 2021, arXiv:2107.03006)."""

from architectures.d3pm.config import LIKELIHOOD, PARAM_GROUPS, RECIPES, Config, initial
from architectures.d3pm.diffusion import p_sample, q_sample
from architectures.d3pm.flops import forward_flops
from architectures.d3pm.sizes import for_params

__all__ = [
    "LIKELIHOOD",
    "PARAM_GROUPS",
    "RECIPES",
    "Config",
    "for_params",
    "forward_flops",
    "initial",
    "p_sample",
    "q_sample",
]
