"""LSTM: stacked recurrent layers (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

from architectures.lstm.config import LIKELIHOOD as LIKELIHOOD
from architectures.lstm.config import PARAM_GROUPS as PARAM_GROUPS
from architectures.lstm.config import RECIPES as RECIPES
from architectures.lstm.config import Config as Config
from architectures.lstm.config import for_params as for_params
from architectures.lstm.config import forward_flops as forward_flops
from architectures.lstm.config import initial as initial
