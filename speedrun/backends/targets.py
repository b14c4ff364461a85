"""Rows into the terms of a loss, in NumPy: the next tokens, or the clean tokens behind noise."""

import numpy as np
from numpy.typing import NDArray

from speedrun.config import ModelConfig
from speedrun.protocols import Architecture, NoisedBatch, Rows


class NextTokens:
    """Rows as they are: inputs are [:, :-1], targets are [:, 1:]."""

    def batch(self, rows: Rows, rng: np.random.Generator) -> Rows:
        """A step's batch, which can be cut into pieces of rows."""
        return rows

    def num_terms(self, batch: Rows) -> int:
        """Number of terms that the mean of a loss is taken over."""
        return batch[:, 1:].size

    def scored(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int,
        timesteps: NDArray[np.float64] | None,
        where: NDArray[np.bool_] | None,
    ) -> tuple[Rows, NDArray[np.bool_]]:
        """Rows as they are, and the targets [rows, context] to be scored; see `Engine.nll`."""
        return rows, np.ones(rows[:, 1:].shape, dtype=np.bool_) if where is None else where


class CleanTokens:
    """Rows under the architecture's noise; the targets are the clean tokens."""

    def __init__(self, architecture: Architecture, config: ModelConfig) -> None:
        self._architecture, self._config = architecture, config

    def batch(self, rows: Rows, rng: np.random.Generator) -> NoisedBatch:
        """A step's batch, which can be cut into pieces of rows."""
        timesteps = stratified_timesteps(len(rows), rng)
        return self._architecture.q_sample(self._config, rows, timesteps, rng)

    def num_terms(self, batch: NoisedBatch) -> int:
        """Number of terms that the mean of a loss is taken over."""
        return int(batch.active.sum())

    def scored(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int,
        timesteps: NDArray[np.float64] | None,
        where: NDArray[np.bool_] | None,
    ) -> tuple[NoisedBatch]:
        """One draw of the noise for each row, to be scored; see `Engine.nll`."""
        rng = np.random.default_rng([seed, 0xD1FF])
        if timesteps is None:
            timesteps = stratified_timesteps(len(rows), rng)
        return (self._architecture.q_sample(self._config, rows, timesteps, rng, prefix_length),)


def stratified_timesteps(num_draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Times [num_draws] in (0, 1], one in each of as many equal parts, in random order.

    Each is uniform on its own; their mean varies far less than that of independent ones
    (Kingma et al. 2021, appendix I.1, do this with one offset for all).
    """
    return (rng.permutation(num_draws) + 1.0 - rng.random(num_draws)) / num_draws
