"""Stratified sampling of diffusion times."""

import numpy as np
from numpy.typing import NDArray


def stratified_timesteps(num_draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Times [num_draws] in (0, 1], one in each of as many equal parts, in random order.

    Each is uniform on its own; their mean varies far less than that of independent ones
    (Kingma et al. 2021, appendix I.1, do this with one offset for all).
    """
    return (rng.permutation(num_draws) + 1.0 - rng.random(num_draws)) / num_draws
