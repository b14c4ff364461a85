"""Transformer: a pre-norm decoder (Vaswani et al. 2017; Radford et al. 2019) for small sizes."""

from architectures.transformer.config import LIKELIHOOD as LIKELIHOOD
from architectures.transformer.config import PARAM_GROUPS as PARAM_GROUPS
from architectures.transformer.config import PRESETS as PRESETS
from architectures.transformer.config import RECIPES as RECIPES
from architectures.transformer.config import Config as Config
from architectures.transformer.config import for_params as for_params
from architectures.transformer.config import for_preset as for_preset
from architectures.transformer.config import forward_flops as forward_flops
from architectures.transformer.config import initial as initial
