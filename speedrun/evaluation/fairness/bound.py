"""Checks of bounds: rows apart, given tokens free, and no better than any distribution can be.

The mean nats of tokens drawn from a distribution q are at least the entropy of q under every
distribution (Gibbs' inequality), and an upper bound lies above. A model that sees the clean tokens
through the noise, or a bound that leaves out or scales down terms, lies below.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from speedrun.backends.targets import stratified_timesteps
from speedrun.evaluation.fairness.common import CHECK_TOLERANCE_NATS, check_array
from speedrun.evaluation.scorer import Scored
from speedrun.protocols import Engine, UnfairModelError

_NUM_ALONE = 8
_NUM_CONTEXTS = 24
_MAX_GIVEN = 32
_NUM_DRAWN = 64  # tokens after each context, at most
_NUM_DRAWS = 8  # of tokens and noise
_NUM_STANDARD_ERRORS = 5.0  # by which the mean of a bound's draws may lie below what is possible

# Probabilities [tokens, vocab] of the tokens after the first `num_given` of a row.
Predict = Callable[[NDArray[np.int32], int], NDArray[np.float64]]


def check(scored: Sequence[Scored], engine: Engine, rebuilt: Engine, predict: Predict) -> None:
    """Check scored rows, each the first of its batch, and tokens drawn after their beginnings.

    `engine` has scored them; `rebuilt` has the same weights and has scored nothing.
    """
    for one in scored[: -_NUM_ALONE - 1 : -1]:
        check_alone(one, engine, "rows of a batch affect each other, or calls do")
        check_alone(one, rebuilt, "not its weights alone")
        check_given(one.row[None].repeat(2, axis=0), rebuilt, len(one.nats) // 2)
    # Few documents make few batches: a row then serves again, with other tokens and noise, as the
    # spread of a handful of estimates says too little of their error.
    rows = [scored[number % len(scored)].row for number in range(_NUM_CONTEXTS)]
    excess = [_excess(row, rebuilt, predict) for row in rows]
    check_excess(np.array(excess), "tokens drawn from its own predictions after held-out text")
    # What the model predicts is the architecture's word; how often tokens occur is not.
    counts_V = np.bincount(np.concatenate(rows))
    excess = [_excess(row, rebuilt, _repeated(counts_V / counts_V.sum())) for row in rows]
    check_excess(np.array(excess), "tokens drawn by their frequency after held-out text")


def _repeated(probs_V: NDArray[np.float64]) -> Predict:
    """The same probabilities for every token."""
    return lambda tokens, num_given: np.tile(probs_V, (len(tokens) - num_given, 1))


def check_alone(one: Scored, engine: Engine, says: str) -> None:
    """Check that the first row of a batch costs the same without the others."""
    nats = engine.nll(one.row[None], one.seed, one.prefix_length, one.shares)[0]
    off = float((np.abs(nats - one.nats) / np.maximum(1.0, np.abs(one.nats))).max())
    if not off <= CHECK_TOLERANCE_NATS:
        raise UnfairModelError(f"{says}: a row alone and again differs by {off:.2g} of its nats")


def check_given(rows: NDArray[np.int32], engine: Engine, num_given: int) -> None:
    """Check that given tokens cost nothing."""
    shares = stratified_timesteps(len(rows), np.random.default_rng())
    if np.any(free := engine.nll(rows, 0, num_given, shares)[:, :num_given]):
        raise UnfairModelError(
            f"given tokens cost {np.abs(free).max():.2g} nats; they must be free"
        )


def check_excess(excess: NDArray[np.float64], what: str) -> None:
    """Check independent estimates of a bound's nats above an entropy; their mean is positive."""
    mean = float(excess.mean())
    error = float(excess.std(ddof=1)) / math.sqrt(len(excess))
    if not mean >= -_NUM_STANDARD_ERRORS * error - CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not a bound: {what} cost {-mean:.3f} ± {error:.3f} nats less than any distribution"
            " could make them"
        )


def _excess(row: NDArray[np.int32], engine: Engine, predict: Predict) -> float:
    """Nats per token, above the entropy, of tokens drawn from predictions after a row's start."""
    rng = np.random.default_rng()
    num_given = int(rng.integers(1, min(len(row) - 1, _MAX_GIVEN) + 1))
    tokens = row[: num_given + _NUM_DRAWN].copy()
    probs_TV = predict(tokens, num_given)
    check_array(probs_TV, (len(tokens) - num_given, *probs_TV.shape[1:]), "predictions")
    rows = tokens[None].repeat(_NUM_DRAWS, axis=0)
    for place, probs_V in enumerate(probs_TV, num_given):
        rows[:, place] = rng.choice(len(probs_V), _NUM_DRAWS, p=probs_V)
    entropy = -(probs_TV * np.log(np.maximum(probs_TV, 1e-300))).sum()
    shares = stratified_timesteps(_NUM_DRAWS, rng)
    nats = engine.nll(rows, int(rng.integers(2**31)), num_given - 1, shares)
    check_array(nats, (_NUM_DRAWS, len(tokens) - 1), "nats")
    return float(nats.sum(axis=1).mean() - entropy) / len(probs_TV)
