"""Fairness checks on random tokens, before every race: a score of such a model would not count."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedrun.backends.targets import stratified_timesteps
from speedrun.evaluation.fairness import bound, exact
from speedrun.evaluation.fairness.common import CHECK_TOLERANCE_NATS, check_array
from speedrun.evaluation.scorer import Scored
from speedrun.protocols import Engine, Likelihood, UnfairModelError

_NUM_ROWS = 4
_NUM_PLACES = 32
_BOUND_DRAWS = 16
_MAX_NOISE = 1 << 22  # numbers


def noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    """Noise for weights; it repeats in large tables, which would take seconds and gigabytes."""
    if math.prod(shape) <= _MAX_NOISE:
        return rng.normal(0, 0.1, shape)
    return np.resize(rng.normal(0, 0.1, _MAX_NOISE).astype(np.float32), shape)


def check(engine: Engine, vocab: int, context: int, likelihood: Likelihood, seed: int = 0) -> None:
    """Check a model on random tokens; raises UnfairModelError where its score would not count."""
    if likelihood == "exact":
        _check_exact(engine, vocab, context, seed)
    else:
        _check_bound(engine, vocab, context, seed)


def _check_exact(engine: Engine, vocab: int, context: int, seed: int) -> None:
    rng = np.random.default_rng([seed, 0xC4EC])
    rows = rng.integers(0, vocab, (_NUM_ROWS, context + 1), dtype=np.int32)
    nats, logits = engine.nll(rows, seed), engine.logits(rows[:, :-1])
    _check_nats(nats, context)
    check_array(logits, (_NUM_ROWS, context, vocab), exact.LOGITS)
    # First, because the others would take dropout for looking ahead.
    if (moved := np.abs(engine.logits(rows[:, :-1]) - logits).max()) > CHECK_TOLERANCE_NATS:
        raise UnfairModelError(
            f"not repeatable: the same tokens again give logits that differ by {moved:.2g} nats"
            " (dropout, or something kept between calls?)"
        )
    scored = [Scored(row=row, nats=of, seed=seed) for row, of in zip(rows, nats, strict=True)]
    exact.check(scored, engine, engine, vocab, _NUM_PLACES)


def _check_bound(engine: Engine, vocab: int, context: int, seed: int) -> None:
    """Check that a bound keeps rows apart and lies where a distribution can."""
    rng = np.random.default_rng([seed, 0xB0D])
    rows = rng.integers(0, vocab, (_NUM_ROWS, context + 1), dtype=np.int32)
    shares = stratified_timesteps(_NUM_ROWS, rng)
    nats = engine.nll(rows, seed, 0, shares)
    _check_nats(nats, context)
    logits = engine.logits(rows, np.ones(_NUM_ROWS, dtype=np.int32))
    expected = (_NUM_ROWS, context + 1, vocab)
    check_array(logits, expected, "logits (rows x length x vocabulary)")
    first = Scored(row=rows[0], nats=nats[0], seed=seed, shares=shares[:1])
    bound.check_alone(first, engine, "rows of a batch affect each other")
    bound.check_given(rows, engine, context // 2)
    per_token = []
    for draw in range(_BOUND_DRAWS):
        rows = rng.integers(0, vocab, (_NUM_ROWS, context + 1), dtype=np.int32)
        shares = (draw + 1.0 - stratified_timesteps(_NUM_ROWS, rng)) / _BOUND_DRAWS
        shares = np.clip(shares, 1e-9, 1.0)
        per_token.append(engine.nll(rows, seed + draw, 0, shares).mean())
    bound.check_excess(np.array(per_token) - math.log(vocab), "random tokens")


def _check_nats(nats: NDArray, context: int) -> None:
    check_array(nats, (_NUM_ROWS, context), "nats of random tokens")
    if nats.dtype != np.float64:
        raise UnfairModelError(f"nats of random tokens are {nats.dtype}, expected float64")
