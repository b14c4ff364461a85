"""Random matrices that initial weights are drawn from."""

import numpy as np
from numpy.typing import NDArray


def orthogonal(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Uniform among orthogonal matrices [size, size] (Saxe et al. 2014).

    The signs of R's diagonal are undone.
    """
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return q * np.sign(np.diag(r))
