"""Counted n-grams with modified Kneser-Ney smoothing (Chen & Goodman 1999): no gradient."""

from architectures.ngram.config import EPOCHS as EPOCHS
from architectures.ngram.config import LIKELIHOOD as LIKELIHOOD
from architectures.ngram.config import PARAM_GROUPS as PARAM_GROUPS
from architectures.ngram.config import RECIPE_FIELDS as RECIPE_FIELDS
from architectures.ngram.config import RECIPES as RECIPES
from architectures.ngram.config import Config as Config
from architectures.ngram.config import for_params as for_params
from architectures.ngram.config import initial as initial
