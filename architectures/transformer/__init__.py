"""Transformer: a pre-norm decoder (Vaswani et al. 2017; Radford et al. 2019) for small sizes."""

from architectures.transformer.config import LIKELIHOOD, PARAM_GROUPS, RECIPES, Config, initial
from architectures.transformer.flops import forward_flops
from architectures.transformer.sizes import PRESETS, for_params, for_preset

__all__ = [
    "LIKELIHOOD",
    "PARAM_GROUPS",
    "PRESETS",
    "RECIPES",
    "Config",
    "for_params",
    "for_preset",
    "forward_flops",
    "initial",
]
