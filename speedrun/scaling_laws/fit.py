"""Fits of the scaling laws to runs, and their uncertainty.

Every run enters with the tokens it really saw: a run that a busy machine slowed down moves along
the law and not off it. Fits minimise Huber's loss of log residuals, so that outliers pull little.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.stats import linregress

from speedrun.scaling_laws.law import CHINCHILLA, Array, Laws, LossLaw, Points, SpeedLaw

MIN_SIZES = 4  # three determine E, A and B; a fourth shows a misfit
NUM_RESAMPLES = 200
# The sizes of one budget do not tell the exponents apart from E: these have the published ones as
# prior.
PRIOR, PRIOR_SD = (CHINCHILLA.alpha, CHINCHILLA.beta), 0.15
_POWER_PRIOR_SD = 0.3  # around 1: a token costs 2·N FLOP forward and 4·N backward
_HUBER = 1.345  # standard deviations: 95 % efficient where noise is normal (Huber 1964)
_SIGMA_RANGE = (0.002, 0.05)  # of log loss between seeds
_SIGMA_ONE_SEED = 0.01  # assumed where no size was raced under two seeds
_SIGMA_SPEED = 0.1  # shared hosts differ by tenths from run to run


def fit(points: Points, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> Laws:
    """Both laws and their resamples; sensible from `MIN_SIZES` sizes."""
    laws = Laws(fit_loss(points), fit_speed(points.params, points.tokens_per_s), points)
    rng = np.random.default_rng(seed)
    return replace(laws, resamples=tuple(_resample(laws, rng) for _ in range(num_resamples)))


def _resample(laws: Laws, rng: np.random.Generator) -> tuple[LossLaw, SpeedLaw]:
    """Both laws fitted to the curve plus resampled residuals."""
    points = laws.points
    rates = laws.speed.tokens_per_s(points.params)
    residuals = np.log(points.tokens_per_s / rates)
    speeds = rates * np.exp(_resampled(residuals, points.cells, rng, num_fitted=2))
    fitted = laws.loss(points.params, points.tokens)
    loss = fitted * np.exp(_resampled(laws.residuals, points.cells, rng, num_fitted=3))
    # Where the runs leave the exponents open, the prior decides. It is resampled, too: otherwise
    # the interval of an extrapolation would be too narrow.
    alpha, beta = rng.normal(PRIOR, PRIOR_SD)
    return (
        fit_loss(
            replace(points, loss=loss), start=laws.loss, sigma=noise(points), prior=(alpha, beta)
        ),
        fit_speed(points.params, speeds, start=laws.speed),
    )


def _resampled(
    residuals: Array, cells: NDArray[np.intp], rng: np.random.Generator, num_fitted: int
) -> Array:
    """Residuals resampled in two parts: between cells, and of runs within their cell.

    A misfit of the law at one size is common to its seeds and does not average out, so it is
    drawn once per cell; the part that noise between seeds explains is taken out first. Both parts
    are widened for the degrees of freedom that fitting took.
    """
    num_cells = int(cells.max()) + 1
    counts = np.bincount(cells, minlength=num_cells)
    means = np.bincount(cells, residuals, num_cells) / counts
    within = residuals - means[cells]
    freedom = len(residuals) - num_cells
    within_var = float(within @ within) / freedom if freedom > 0 else 0.0
    if freedom > 0:
        within = within * np.sqrt(len(residuals) / freedom)
    means = means * np.sqrt(num_cells / max(1, num_cells - num_fitted))
    between_var = float(np.mean(means**2))
    explained = within_var / float(np.mean(counts))
    kept = np.sqrt(max(0.0, 1 - explained / between_var)) if between_var > 0 else 0.0
    by_cell = rng.choice(means, num_cells) * rng.choice([-1.0, 1.0], num_cells) * kept
    return np.asarray(by_cell[cells] + rng.choice(within, len(residuals)), float)


def noise(points: Points) -> float:
    """Standard deviation of log loss between runs of one cell, pooled, within sensible limits."""
    logs, cells = np.log(points.loss), points.cells
    means = np.bincount(cells, logs) / np.bincount(cells)
    freedom = len(logs) - len(means)
    if freedom < 1:
        return _SIGMA_ONE_SEED
    return float(np.clip(np.sqrt(np.sum((logs - means[cells]) ** 2) / freedom), *_SIGMA_RANGE))


def _sum_of_powers(
    x: Array,  # [k, points], centred
    log_y: Array,  # [points]
    starts: Sequence[Sequence[float]],
    bounds: tuple[Sequence[float], Sequence[float]],
    prior: tuple[Sequence[float], float],  # mean of each slope, and the deviation of all
    sigma: float,
) -> list[float]:
    """c_0 … c_k, s_1 … s_k of log y = log(exp c_0 + Σ_i exp(c_i + s_i·x_i)), from the best start.

    Least Huber loss, with a normal prior on the slopes s.
    """
    k, (slopes, prior_sd) = len(x), prior

    def terms(theta: Array) -> Array:
        found = np.repeat(theta[: k + 1, None], len(log_y), axis=1)
        found[1:] += theta[k + 1 :, None] * x
        return found

    def residuals(theta: Array) -> Array:
        misfit = (np.logaddexp.reduce(terms(theta)) - log_y) / sigma
        return np.append(misfit, (theta[k + 1 :] - np.asarray(slopes)) / prior_sd)

    def jacobian(theta: Array) -> Array:
        found = terms(theta)
        weights = np.exp(found - np.logaddexp.reduce(found))
        misfit = np.vstack([weights, weights[1:] * x]).T / sigma
        return np.vstack([misfit, np.eye(k, len(theta), k + 1) / prior_sd])

    low, high = map(np.asarray, bounds)
    options: dict[str, Any] = {"jac": jacobian, "loss": "huber", "f_scale": _HUBER}
    found = [
        least_squares(residuals, np.clip(one, low + 1e-6, high - 1e-6), bounds=bounds, **options)
        for one in starts
    ]
    return min(found, key=lambda one: one.cost).x.tolist()


def fit_loss(
    points: Points,
    *,
    start: LossLaw | None = None,
    sigma: float | None = None,
    prior: tuple[float, float] = PRIOR,
) -> LossLaw:
    """L(N, D) by Huber's loss on log residuals, from several starts, as Hoffmann et al. 2022.

    We depart from them in two ways. The corner of Huber's loss is 1.345 standard deviations of
    the noise between seeds, not 1e-3: few runs on a noisy host. And the exponents have a prior,
    the published ones ± 0.15.
    """
    x, y = np.log(points.params), np.log(points.tokens)
    x0, y0 = x.mean(), y.mean()
    floor, top = np.log(points.loss.min()), np.log(points.loss.max())
    if start is None:
        starts = [
            (floor + np.log(e), *[floor + np.log((1 - e) / 2)] * 2, -alpha, -beta)
            for e in (0.3, 0.7)
            for alpha in (0.2, 0.5)
            for beta in (0.2, 0.5)
        ]
    else:
        a = _log(start.A) - start.alpha * x0
        b = _log(start.B) - start.beta * y0
        starts = [(_log(start.E), a, b, -start.alpha, -start.beta)]
    e, a, b, minus_alpha, minus_beta = _sum_of_powers(
        np.stack([x - x0, y - y0]),
        np.log(points.loss),
        starts,
        (
            (floor - 4, floor - 8, floor - 8, -1.5, -1.5),
            (floor, top + 0.7, top + 0.7, -0.05, -0.05),
        ),
        ((-prior[0], -prior[1]), PRIOR_SD),
        noise(points) if sigma is None else sigma,
    )
    return LossLaw(
        E=float(np.exp(e)),
        A=float(np.exp(a - minus_alpha * x0)),
        B=float(np.exp(b - minus_beta * y0)),
        alpha=-minus_alpha,
        beta=-minus_beta,
    )


def fit_speed(params: Array, tokens_per_s: Array, *, start: SpeedLaw | None = None) -> SpeedLaw:
    """Seconds per token as a fixed part and a power of N, by Huber's loss on log residuals."""
    x, target = np.log(params), -np.log(tokens_per_s)
    x0 = x.mean()
    if start is None:
        middle = float(np.median(target))
        starts = [
            (middle + np.log(share), middle + np.log(1 - share), power)
            for share in (0.1, 0.5)
            for power in (0.6, 1.0)
        ]
    else:
        starts = [(_log(start.fixed), _log(start.scale) + start.power * x0, start.power)]
    fixed, scale, power = _sum_of_powers(
        (x - x0)[None],
        target,
        starts,
        ((target.min() - 12, target.min() - 12, 0.1), (target.max() + 1, target.max() + 1, 2.0)),
        ((1.0,), _POWER_PRIOR_SD),
        _SIGMA_SPEED,
    )
    return SpeedLaw(
        fixed=float(np.exp(fixed)), scale=float(np.exp(scale - power * x0)), power=power
    )


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-300)))


class PowerLaw(NamedTuple):
    """y = scale · x^exponent, with R² on log-log axes."""

    scale: float
    exponent: float
    r2: float


def power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw:
    """A straight line on log-log axes by least squares."""
    line: Any = linregress(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)))
    return PowerLaw(float(np.exp(line.intercept)), float(line.slope), float(line.rvalue**2))
