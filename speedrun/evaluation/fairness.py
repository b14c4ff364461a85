"""Fairness checks before every race: causal, rows independent, repeatable, normalised.

The harness owns the normalisation; a model only supplies logits, or the terms of a bound.
"""

import math

import numpy as np
from numpy.typing import NDArray

from speedrun.backends.targets import stratified_timesteps
from speedrun.protocols import Engine, Likelihood, UnfairModelError

# Largest difference in nats that rounding explains, in fp32 over different shapes.
CHECK_TOLERANCE_NATS = 1e-3
_NUM_ROWS = 4
_BOUND_DRAWS = 16
_NUM_STANDARD_ERRORS = 5.0  # by which the mean of a bound's draws may lie below what is possible


def check(engine: Engine, vocab: int, context: int, likelihood: Likelihood, seed: int = 0) -> None:
    """Check a model on random tokens; raises UnfairModelError where its score would not count."""
    if likelihood == "exact":
        _check_exact(engine, vocab, context, seed)
    else:
        _check_bound(engine, vocab, context, seed)


def _check_exact(engine: Engine, vocab: int, context: int, seed: int) -> None:
    """Check that an exact model is causal, repeatable, normalised, and keeps rows apart.

    What is changed is always a real input: a check that changes only a target cannot fail.
    """
    rng = np.random.default_rng([seed, 0xC4EC])
    rows = rng.integers(0, vocab, (_NUM_ROWS, context + 1), dtype=np.int32)
    inputs = rows[:, :-1]
    nats, logits = engine.nll(rows, seed), engine.logits(inputs)
    _check_nats(nats, context)
    _check_logits(logits, (_NUM_ROWS, context, vocab), "rows x context x vocabulary")
    # First, because the others would take dropout for looking ahead.
    if (moved := np.abs(engine.logits(inputs) - logits).max()) > CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not repeatable: the same tokens again give logits that differ by {moved:.2g} nats"
            " (dropout, or something kept between calls?)"
        )
    for position in sorted({1, context // 3, context // 2, context - 1} - {0}):
        changed = inputs.copy()
        changed[:, position] = (changed[:, position] + 1 + rng.integers(vocab - 1)) % vocab
        moved = np.abs(engine.logits(changed) - logits)[:, :position].max()
        if moved > CHECK_TOLERANCE_NATS:
            raise UnfairModelError(
                f"not causal: changing token {position} moved an earlier prediction by"
                f" {moved:.2g} nats (allowed {CHECK_TOLERANCE_NATS:g})"
            )
    if (moved := np.abs(engine.logits(inputs[:1]) - logits[:1]).max()) > CHECK_TOLERANCE_NATS:
        raise UnfairModelError(f"rows of a batch affect each other by {moved:.2g} nats")
    off = np.abs(softmax_nats(logits, rows[:, 1:]) - nats).max()
    if off > CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not normalised: scores differ from the softmax of the logits by {off:.2g} nats"
        )


def _check_bound(engine: Engine, vocab: int, context: int, seed: int) -> None:
    """Check that a bound keeps rows apart and lies where a distribution can.

    The mean nats of any distribution over n evenly drawn tokens are at least n ln(vocab) (Gibbs'
    inequality), and an upper bound lies above. A model that sees the clean tokens through the
    noise, or leaves out terms of the bound, lies below.
    """
    rng = np.random.default_rng([seed, 0xB0D])
    rows = rng.integers(0, vocab, (_NUM_ROWS, context + 1), dtype=np.int32)
    shares = stratified_timesteps(_NUM_ROWS, rng)
    nats = engine.nll(rows, seed, 0, shares)
    _check_nats(nats, context)
    logits = engine.logits(rows, np.ones(_NUM_ROWS, dtype=np.int32))
    _check_logits(logits, (_NUM_ROWS, context + 1, vocab), "rows x length x vocabulary")
    moved = np.abs(engine.nll(rows[:1], seed, 0, shares[:1]) - nats[:1])
    if (off := float((moved / np.maximum(1.0, nats[:1])).max())) > CHECK_TOLERANCE_NATS:
        raise UnfairModelError(f"rows of a batch affect each other by {off:.2g} of their nats")
    given = context // 2
    if np.any(free := engine.nll(rows, seed, given, shares)[:, :given]):
        raise UnfairModelError(
            f"given tokens cost {np.abs(free).max():.2g} nats; they must be free"
        )
    per_token = []
    for draw in range(_BOUND_DRAWS):
        rows = rng.integers(0, vocab, (_NUM_ROWS, context + 1), dtype=np.int32)
        shares = (draw + 1.0 - stratified_timesteps(_NUM_ROWS, rng)) / _BOUND_DRAWS
        shares = np.clip(shares, 1e-9, 1.0)
        per_token.append(engine.nll(rows, seed + draw, 0, shares).mean())
    mean, least = float(np.mean(per_token)), math.log(vocab)
    error = float(np.std(per_token, ddof=1)) / math.sqrt(_BOUND_DRAWS)
    if mean < least - _NUM_STANDARD_ERRORS * error - CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not a bound: random tokens cost {mean:.3f} nats each, and no distribution can do"
            f" better than ln {vocab} = {least:.3f}"
        )


def _check_nats(nats: NDArray[np.float64], context: int) -> None:
    if nats.shape != (_NUM_ROWS, context) or nats.dtype != np.float64:
        raise UnfairModelError(
            f"nats has shape {nats.shape} and type {nats.dtype}, expected"
            f" ({_NUM_ROWS}, {context}) float64"
        )
    if num_bad := int((~np.isfinite(nats)).sum()):
        raise UnfairModelError(f"{num_bad} of {nats.size} scores of random tokens are not finite")


def _check_logits(logits: NDArray[np.float32], expected: tuple[int, ...], axes: str) -> None:
    if logits.shape != expected:
        raise UnfairModelError(f"logits has shape {logits.shape}, expected {axes} = {expected}")
    if num_bad := int((~np.isfinite(logits)).sum()):
        raise UnfairModelError(f"{num_bad} of {logits.size} logits of random tokens are not finite")


def softmax_nats(
    logits_BTV: NDArray[np.float32], targets_BT: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Nats [batch, time] of the targets under the softmax of the logits, in float64."""
    logits = logits_BTV.astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    log_sums = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
    index = targets_BT[..., None].astype(np.int64)
    return log_sums - np.take_along_axis(logits, index, axis=-1)[..., 0]
