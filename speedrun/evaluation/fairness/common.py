"""The tolerance and the comparisons that all checks share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speedrun.protocols import UnfairModelError

# Largest difference in nats that rounding explains, in fp32 over different shapes.
CHECK_TOLERANCE_NATS = 1e-3


def check_array(array: NDArray, shape: Sequence[int], what: str) -> None:
    """Check the shape of what an engine returned for `what`, and that it is finite."""
    if array.shape != tuple(shape):
        raise UnfairModelError(f"{what} has shape {array.shape}, expected {tuple(shape)}")
    if num_bad := int((~np.isfinite(array)).sum()):
        raise UnfairModelError(f"{what}: {num_bad} of {array.size} numbers are not finite")


def softmax_nats(
    logits_BTV: NDArray[np.float32], targets_BT: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Nats [batch, time] of the targets under the softmax of the logits, in float64."""
    logits = logits_BTV.astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    log_sums = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
    index = targets_BT[..., None].astype(np.int64)
    return log_sums - np.take_along_axis(logits, index, axis=-1)[..., 0]
