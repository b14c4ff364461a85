"""D3PM: discrete diffusion over tokens (Austin et al. 2021, arXiv:2107.03006)."""

from architectures.d3pm.config import LIKELIHOOD as LIKELIHOOD
from architectures.d3pm.config import PARAM_GROUPS as PARAM_GROUPS
from architectures.d3pm.config import RECIPES as RECIPES
from architectures.d3pm.config import Config as Config
from architectures.d3pm.config import for_params as for_params
from architectures.d3pm.config import forward_flops as forward_flops
from architectures.d3pm.config import initial as initial
from architectures.d3pm.diffusion import p_sample as p_sample
from architectures.d3pm.diffusion import q_sample as q_sample
