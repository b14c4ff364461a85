"""Windows over held-out documents, and the standard error of a ratio over documents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """Tokens [start, stop) of a document as one row, scored from target `first` on."""

    doc: int
    start: int
    stop: int
    first: int  # index of the first target in the row that is scored

    @property
    def counted(self) -> slice:
        """The targets in the row that are scored."""
        return slice(self.first, self.stop - self.start - 1)


def windows(lengths: Sequence[int], context: int, stride: int) -> list[Window]:
    """Windows that score every target of every document exactly once.

    `lengths` are in tokens with the end-of-text on both sides. The first window of a
    document scores all its targets; a later one only those the one before did not reach.
    Raises ValueError where they would never reach the end, or leave a gap.
    """
    if not 1 <= stride <= context:
        raise ValueError(f"a stride of {stride} in a context of {context}: must be 1 to that")
    out = []
    for doc, length in enumerate(lengths):
        num_targets = length - 1
        scored = 0
        while scored < num_targets:
            start = 0 if scored == 0 else scored - (context - stride)
            stop = min(start + context, num_targets)
            out.append(Window(doc, start, stop + 1, scored - start))
            scored = stop
    return out


def ranked_stride(context: int) -> int:
    """The stride of every ranked run: half the context, or one token of one."""
    return max(1, context // 2)


def ratio(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64]
) -> tuple[float, float]:
    """Ratio of sums and its standard error over documents (linearised; Cochran 1977, §6.3)."""
    n = len(numerators)
    value = numerators.sum() / denominators.sum()
    residuals = numerators - value * denominators
    variance = n / (n - 1) * float(residuals @ residuals)
    return float(value), math.sqrt(variance) / float(denominators.sum())
