"""The noise process of D3PM and its reversal, in NumPy: frameworks train on the same draws.

With T steps the share of untouched tokens after step t is 1 - t / T: everything is noise at
step T, so the bound's prior term is exactly zero. For the absorbing transition this is the
schedule 1 / (T - t + 1) of Austin et al. (2021, §4.2, §A.2.1); without V x V matrices both
transitions have closed forms.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from architectures.d3pm.config import Config
from speedrun.protocols import NoisedBatch

Probs = Callable[[NDArray[np.int32], int], NDArray[np.float64]]


def q_sample(
    config: Config,
    rows: NDArray[np.int32],
    timesteps: NDArray[np.float64],
    rng: np.random.Generator,
    prefix_length: int | None = None,
) -> NoisedBatch:
    """Rows [B, T + 1] at noise steps `ceil(timesteps * num_steps)`.

    Scored rows, those with a `prefix_length`, see `_to_score`. A row's noise is the same whatever
    rows stand behind it.
    """
    uniform_BT2 = rng.random((*rows.shape, 2))
    if prefix_length is not None:
        return _to_score(config, rows, timesteps, uniform_BT2, prefix_length)
    steps_B = _steps(config, timesteps)
    hit_BT = uniform_BT2[..., 0] < (steps_B / config.num_steps)[:, None]
    hit_BT[:, 0] = False
    return _noised(config, rows, steps_B, hit_BT, uniform_BT2[..., 1])


def _to_score(
    config: Config,
    rows: NDArray[np.int32],
    timesteps: NDArray[np.float64],
    uniform_BT2: NDArray[np.float64],
    prefix_length: int,
) -> NoisedBatch:
    """Rows under noise whose weighted terms vary as little as this process allows.

    The first token and the `prefix_length` after it are context, never noisy. Steps are drawn at
    the square of `timesteps`: early ones, where few tokens are noisy and one draw says little,
    more often and with less weight. Equal rows that follow each other share a number for each
    place, and the noise of one begins where that of the one before ended: tokens are hit equally
    often, give or take one, and each row for itself is as if it were alone.

    Of the absorbing transition only hit tokens have terms, T / step times their nats, and every
    token is hit with probability step / T. So the bound is the mean nats of *one* place drawn
    evenly, which is always hit, times the number of places, N. Any of the n tokens hit beside it
    could as well have been the one: each gets the weight N / n in place of T / step (the
    any-order form of the bound: Uria et al. 2014; Austin et al. 2021, appendix A.3).
    """
    T, first = config.num_steps, 1 + prefix_length
    steps_B = _steps(config, timesteps**2)
    weights_B = 1 / (T * np.diff(np.sqrt(np.arange(T + 1) / T))[steps_B - 1])
    shares_B = steps_B / T
    before_B, group_B = np.cumsum(shares_B) - shares_B, _first_of_equal(rows)
    begins_B = before_B - before_B[group_B]
    hit_BT = (uniform_BT2[group_B, :, 0] - begins_B[:, None]) % 1.0 < shares_B[:, None]
    hit_BT[:, :first] = False
    if config.transition == "absorbing":
        surely_B = first + uniform_BT2[:, first:, 1].argmin(axis=1)
        hit_BT[np.arange(len(rows)), surely_B] = True
        weights_B *= (rows.shape[1] - first) * shares_B / hit_BT.sum(axis=1)
    batch = _noised(config, rows, steps_B, hit_BT, uniform_BT2[..., 1])
    batch.active[:, :first] = False
    return dataclasses.replace(batch, weights=weights_B.astype(np.float32))


def _first_of_equal(rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Index [B] of the first of the equal rows that a row is among."""
    is_new_B = np.append(True, (rows[1:] != rows[:-1]).any(axis=1))
    return np.maximum.accumulate(np.where(is_new_B, np.arange(len(rows)), 0))


def _steps(config: Config, shares_B: NDArray[np.float64]) -> NDArray[np.int32]:
    steps_B = np.ceil(shares_B * config.num_steps)
    return np.clip(steps_B, 1, config.num_steps).astype(np.int32)


def _noised(
    config: Config,
    rows: NDArray[np.int32],
    steps_B: NDArray[np.int32],
    hit_BT: NDArray[np.bool_],
    uniform_BT: NDArray[np.float64],
) -> NoisedBatch:
    """Rows whose hit tokens are noise; `uniform_BT` says which."""
    if config.transition == "absorbing":
        noise_BT, active_BT = np.int32(config.vocab), hit_BT
    else:
        noise_BT = (uniform_BT * config.vocab).astype(np.int32)
        active_BT = np.ones_like(hit_BT)
        active_BT[:, 0] = False
    return NoisedBatch(
        noisy=np.where(hit_BT, noise_BT, rows).astype(np.int32),
        clean=rows,
        steps=steps_B,
        active=active_BT,
        weights=np.ones(len(rows), dtype=np.float32),
    )


def p_sample(
    config: Config,
    tokens: NDArray[np.int32],
    prefix_length: int,
    num_steps: int,
    probs: Probs,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Sample `tokens[prefix_length:]` by the reverse process in at most `num_steps` strides.

    A stride from step t to step s < t draws from p(x_s | x_t): the true posterior
    q(x_s | x_t, x_0) averaged over the predicted clean tokens.
    """
    T = config.num_steps
    grid = np.unique(np.round(np.linspace(0, T, min(num_steps, T) + 1)).astype(int))[::-1]
    drawn = tokens.astype(np.int32).copy()
    rest = slice(prefix_length, None)
    if config.transition == "absorbing":
        drawn[rest] = config.vocab
    else:
        drawn[rest] = rng.integers(0, config.vocab, len(tokens) - prefix_length)
    for step, earlier in zip(grid[:-1].tolist(), grid[1:].tolist(), strict=True):
        clean_TV = probs(drawn, step)[rest]
        if config.transition == "absorbing":
            hidden = drawn[rest] == config.vocab
            hidden &= rng.random(len(hidden)) < (step - earlier) / step
            revealed = _draw(clean_TV, rng)
            drawn[rest] = np.where(hidden, revealed, drawn[rest])
        else:
            drawn[rest] = _draw(_posterior(config, clean_TV, drawn[rest], step, earlier), rng)
    return drawn


def _posterior(
    config: Config, clean_TV: NDArray[np.float64], noisy_T: NDArray[np.int32], step: int, to: int
) -> NDArray[np.float64]:
    """p(x_to | x_step) [T, V] of the uniform transition, not normalised."""
    kept, kept_to = 1 - step / config.num_steps, 1 - to / config.num_steps
    stays, index = kept / kept_to, (np.arange(len(noisy_T)), noisy_T)
    without_TV = clean_TV.copy()  # the prediction without the evidence of the noisy token itself
    without_TV[index] /= 1 + kept * config.vocab / (1 - kept)
    without_TV /= without_TV.sum(axis=1, keepdims=True)
    prior_TV = kept_to * without_TV + (1 - kept_to) / config.vocab
    forward_TV = np.full_like(prior_TV, (1 - stays) / config.vocab)
    forward_TV[index] += stays
    return prior_TV * forward_TV


def _draw(weights_TV: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int32]:
    """One token id for each row of weights."""
    cumulative = np.cumsum(weights_TV, axis=1)
    picked = (cumulative < rng.random((len(weights_TV), 1)) * cumulative[:, -1:]).sum(axis=1)
    return np.minimum(picked, weights_TV.shape[1] - 1).astype(np.int32)
