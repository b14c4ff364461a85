"""Counted n-grams with modified Kneser-Ney smoothing (Chen & Goodman 1999): no gradient."""

from architectures.ngram.config import (
    EPOCHS,
    LIKELIHOOD,
    PARAM_GROUPS,
    RECIPE_FIELDS,
    RECIPES,
    Config,
    for_params,
    initial,
)

__all__ = [
    "EPOCHS",
    "LIKELIHOOD",
    "PARAM_GROUPS",
    "RECIPES",
    "RECIPE_FIELDS",
    "Config",
    "for_params",
    "initial",
]
