"""NumPy arrays that cross the interfaces between harness, backends and architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]  # [rows, context + 1]: inputs are [:, :-1], targets are [:, 1:]
# Trained parameters are float32, counts and keys are int64.
Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class NoisedBatch:
    """Rows under noise, drawn in NumPy so that every framework gets the same."""

    noisy: NDArray[np.int32]  # [rows, context + 1]: inputs of the network
    clean: NDArray[np.int32]  # [rows, context + 1]: its targets, position by position
    steps: NDArray[np.int32]  # [rows]: noise steps, 1 to the last step
    active: NDArray[np.bool_]  # [rows, context + 1]: positions where the bound has a term
    weights: NDArray[np.float32]  # [rows]: importance weights, where steps are not drawn evenly

    def __getitem__(self, rows: slice) -> Self:
        return type(self)(**{name: array[rows] for name, array in vars(self).items()})

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """All that training goes on with, the random state apart: weights, buffers, optimizers."""

    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]  # that JSON can hold
