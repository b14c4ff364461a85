"""The noise process of D3PM and its reversal, in NumPy: frameworks train on the same draws.

With T steps the share of untouched tokens after step t is 1 - t / T: everything is noise at
step T, so the bound's prior term is exactly zero. For the absorbing transition this is the
schedule 1 / (T - t + 1) of Austin et al. (2021, §4.2, §A.2.1); without V x V matrices both
transitions have closed forms.
"""

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

    To be scored, the first token and the `prefix_length` after it are context, never noisy, and
    steps of the uniform transition are drawn at the square of `timesteps`: early ones, whose terms
    are rare and large, more often and with less weight. (The absorbing one's need more draws
    that way, not fewer.) A row's noise is the same whatever rows stand behind it.
    """
    is_scored, prefix_length = prefix_length is not None, prefix_length or 0
    power = 2.0 if is_scored and config.transition == "uniform" else 1.0
    steps_B = np.ceil(timesteps**power * config.num_steps)
    steps_B = np.clip(steps_B, 1, config.num_steps).astype(np.int32)
    root_T = (np.arange(config.num_steps + 1) / config.num_steps) ** (1 / power)
    weights_B = 1 / (config.num_steps * np.diff(root_T)[steps_B - 1])
    uniform_BT2 = rng.random((*rows.shape, 2))
    hit_BT = uniform_BT2[..., 0] < (steps_B / config.num_steps)[:, None]
    hit_BT[:, : 1 + prefix_length] = False
    if config.transition == "absorbing":
        noise_BT, active_BT = np.int32(config.vocab), hit_BT
    else:
        noise_BT = (uniform_BT2[..., 1] * config.vocab).astype(np.int32)
        active_BT = np.ones_like(hit_BT)
        active_BT[:, : 1 + prefix_length] = False
    noisy_BT = np.where(hit_BT, noise_BT, rows).astype(np.int32)
    return NoisedBatch(
        noisy=noisy_BT,
        clean=rows,
        steps=steps_B,
        active=active_BT,
        weights=weights_B.astype(np.float32),
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
