"""The model that is scored: built anew from what is saved, and equal to the one that trained."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speedrun.evaluation.fairness.common import CHECK_TOLERANCE_NATS
from speedrun.protocols import Engine, UnfairModelError

_NUM_ROWS = 8


def check_rebuilt(
    trained: Engine, rebuilt: Engine, docs: Sequence[NDArray[np.int32]], context: int
) -> None:
    """Raise UnfairModelError where `trained` scores documents otherwise than `rebuilt` does.

    Then it has learned something that is not saved, and its score would be of another model.
    """
    rows = np.zeros((min(_NUM_ROWS, len(docs)), context + 1), dtype=np.int32)
    for row, doc in zip(rows, docs, strict=False):
        row[: len(doc)] = doc[: context + 1]
    one, other = trained.nll(rows, 0), rebuilt.nll(rows, 0)
    is_same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        moved = np.where(is_same, 0.0, np.abs(one - other) / np.maximum(1.0, np.abs(other)))
    if not (off := float(moved.max())) <= CHECK_TOLERANCE_NATS:  # NaN is none
        raise UnfairModelError(
            f"not the model that is saved: built anew from its weights it scores a token {off:.2g}"
            " nats otherwise; training changed something else that it predicts with (a buffer, an"
            " attribute, a global, random state): make it a parameter, or a buffer that initial()"
            " gives"
        )
