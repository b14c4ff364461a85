"""Configuration and recipe of the n-gram model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from architectures import networks

LIKELIHOOD = "exact"
PARAM_GROUPS = (("*", "embedding"),)  # all of it is looked up
EPOCHS = 1  # the same text counted twice only makes it look surer than it is
RECIPE_FIELDS = ("batch_rows", "micro_batch_rows")  # nothing else of a recipe has an effect
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {"model": {}, "recipe": {"batch_rows": 64}}
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """An n-gram model; how many numbers it stores depends on the text, up to `max_params`."""

    vocab: int = 4096
    context: int = 256  # tokens of a row; histories are shorter
    order: int = 6  # tokens of the longest n-grams, the predicted one included
    max_params: int = 2_000_000  # --params

    def __post_init__(self) -> None:
        if not 2 <= self.order <= 6:
            raise ValueError(f"model.order={self.order}: allowed are 2 to 6")
        networks.check_positive(self, "vocab", "context")
        least = 3 * self.vocab + 5 * self.order  # single tokens, each with a count of its own
        if self.max_params < least:
            raise ValueError(
                f"--params {self.max_params}: at least {least} for n-grams over {self.vocab}"
                " tokens (3 numbers a token, 5 a length)"
            )

    @property
    def num_params(self) -> int:
        """The most numbers that are stored; the record has how many there are."""
        return self.max_params

    @property
    def num_params_non_embedding(self) -> int:
        """All parameters: there are no embeddings."""
        return self.max_params


def initial(config: Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Nothing: counts start at nothing, whatever the seed."""
    return {}


def for_params(target: int, vocab: int, **fixed: Any) -> Config:
    """The configuration that stores at most `target` numbers."""
    if "max_params" in fixed:
        raise ValueError("model.max_params is set with --params, not with --set")
    return Config(vocab=vocab, max_params=target, **fixed)
