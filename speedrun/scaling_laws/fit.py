"""The laws of `scaling` fitted to runs, and how sure they are.

Every run enters with the tokens it really saw: an hour in which the machine was slow moves a run
along the law and not off it. All fits are Huber fits of log residuals, so that single runs that
went astray pull little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from speedrun.scaling_laws.law import Array, Laws, LossLaw, Points, SpeedLaw

MIN_SIZES = 4  # three fix E, A and B, and one has to be left to see a misfit by
NUM_RESAMPLES = 200
# Exponents that sizes of one budget alone leave open are drawn to the published ones.
PUBLISHED_ALPHA, PUBLISHED_BETA, PRIOR_SD = 0.34, 0.28, 0.15
_HUBER = 1.345  # standard deviations: 95 % efficient where noise is normal (Huber 1964)
_SIGMA_RANGE = (0.002, 0.05)  # of log loss between seeds
_SIGMA_ALONE = 0.01  # where no size was raced under two seeds


def fit(points: Points, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> Laws:
    """Both laws and their resamples. Raises ValueError below `MIN_SIZES` sizes."""
    if points.num_sizes < MIN_SIZES:
        raise ValueError(
            f"no fit: {points.num_sizes} size(s) with a score, and a law needs at least {MIN_SIZES}"
        )
    loss, speed = fit_loss(points), fit_speed(points.params, points.tokens_per_s)
    whole = Laws(loss, speed, points)
    rng = np.random.default_rng(seed)
    drawn = tuple(_resample(whole, rng) for _ in range(num_resamples))
    return Laws(loss, speed, points, drawn)


def _resample(laws: Laws, rng: np.random.Generator) -> tuple[LossLaw, SpeedLaw]:
    """Both laws fitted to the curve plus residuals drawn anew."""
    points = laws.points
    expected = laws.speed.tokens_per_s(points.params)
    speeds = expected * np.exp(
        _drawn(np.log(points.tokens_per_s / expected), points.cells, rng, num_fitted=2)
    )
    fitted = laws.loss(points.params, points.tokens)
    loss = fitted * np.exp(_drawn(laws.residuals, points.cells, rng, num_fitted=3))
    again = replace(points, loss=loss)
    # What the runs leave open, the prior decides: it is drawn anew, too, or the interval of an
    # extrapolation would be that of the runs alone.
    alpha, beta = rng.normal((PUBLISHED_ALPHA, PUBLISHED_BETA), PRIOR_SD)
    return (
        fit_loss(again, start=laws.loss, sigma=noise(points), prior=(alpha, beta)),
        fit_speed(points.params, speeds, start=laws.speed),
    )


def _drawn(
    residuals: Array, cells: NDArray[np.intp], rng: np.random.Generator, num_fitted: int
) -> Array:
    """Residuals drawn anew: those of runs within their cell, and those of whole cells.

    A misfit of the law at one size is common to its seeds and does not average out, so it is
    drawn once a cell; what of it the noise between seeds explains is taken out first. Both parts
    are widened for the degrees of freedom that fitting took.
    """
    num_cells = int(cells.max()) + 1
    counts = np.bincount(cells, minlength=num_cells)
    means = np.bincount(cells, residuals, num_cells) / counts
    call_with_timeout = residuals - means[cells]
    freedom = len(residuals) - num_cells
    within_var = float(call_with_timeout @ call_with_timeout) / freedom if freedom > 0 else 0.0
    if freedom > 0:
        call_with_timeout = call_with_timeout * np.sqrt(len(residuals) / freedom)
    means = means * np.sqrt(num_cells / max(1, num_cells - num_fitted))
    between_var = float(np.mean(means**2))
    explained = within_var / float(np.mean(counts))
    kept = np.sqrt(max(0.0, 1 - explained / between_var)) if between_var > 0 else 0.0
    by_cell = rng.choice(means, num_cells) * rng.choice([-1.0, 1.0], num_cells) * kept
    return np.asarray(by_cell[cells] + rng.choice(call_with_timeout, len(residuals)), float)


def noise(points: Points) -> float:
    """Standard deviation of log loss between runs of one cell, pooled, within sensible limits."""
    logs, cells = np.log(points.loss), points.cells
    means = np.bincount(cells, logs) / np.bincount(cells)
    freedom = len(logs) - len(means)
    if freedom < 1:
        return _SIGMA_ALONE
    return float(np.clip(np.sqrt(np.sum((logs - means[cells]) ** 2) / freedom), *_SIGMA_RANGE))


def fit_loss(
    points: Points,
    *,
    start: LossLaw | None = None,
    sigma: float | None = None,
    prior: tuple[float, float] = (PUBLISHED_ALPHA, PUBLISHED_BETA),
) -> LossLaw:
    """L(N, D) by Huber's loss on log residuals, from several starts, as Hoffmann et al. 2022.

    We depart from them in two ways. The corner of Huber's loss is 1.345 standard deviations of
    what the seeds show, not 1e-3: few runs on a noisy host. And the exponents have a prior, the
    published ones ± 0.15, because sizes raced for one budget do not tell them apart from E.
    """
    sigma = noise(points) if sigma is None else sigma
    x, y, target = np.log(points.params), np.log(points.tokens), np.log(points.loss)
    x0, y0 = x.mean(), y.mean()
    floor, top = np.log(points.loss.min()), np.log(points.loss.max())

    def parts(theta: Array) -> Array:
        e, a, b, alpha, beta = theta
        return np.stack([np.full_like(x, e), a - alpha * (x - x0), b - beta * (y - y0)])

    def residuals(theta: Array) -> Array:
        drawn = (theta[3:] - np.asarray(prior)) / PRIOR_SD
        return np.append((np.logaddexp.reduce(parts(theta)) - target) / sigma, drawn)

    def jacobian(theta: Array) -> Array:
        logs = parts(theta)
        we, wa, wb = np.exp(logs - np.logaddexp.reduce(logs))
        slopes = np.stack([we, wa, wb, -wa * (x - x0), -wb * (y - y0)], axis=1) / sigma
        return np.vstack([slopes, np.eye(2, 5, 3) / PRIOR_SD])

    low = np.array([floor - 4, floor - 8, floor - 8, 0.05, 0.05])
    high = np.array([floor, top + 0.7, top + 0.7, 1.5, 1.5])
    if start is None:
        starts = [
            np.array(
                [
                    floor + np.log(e),
                    floor + np.log((1 - e) / 2),
                    floor + np.log((1 - e) / 2),
                    alpha,
                    beta,
                ]
            )
            for e in (0.3, 0.7)
            for alpha in (0.2, 0.5)
            for beta in (0.2, 0.5)
        ]
    else:
        starts = [
            np.array(
                [
                    _log(start.E),
                    _log(start.A) - start.alpha * x0,
                    _log(start.B) - start.beta * y0,
                    start.alpha,
                    start.beta,
                ]
            )
        ]
    best = _best(residuals, jacobian, starts, (low, high))
    e, a, b, alpha, beta = (float(value) for value in best)
    return LossLaw(
        E=np.exp(e).item(),
        A=np.exp(a + alpha * x0).item(),
        B=np.exp(b + beta * y0).item(),
        alpha=alpha,
        beta=beta,
    )


def fit_speed(
    params: Array, tokens_per_s: Array, *, start: SpeedLaw | None = None, power_sd: float = 0.3
) -> SpeedLaw:
    """Seconds per token as a fixed part and a power of N, by Huber's loss on log residuals.

    The power has the prior 1 ± `power_sd`: a token costs 2 N operations forward and 4 N back.
    """
    x, target = np.log(params), -np.log(tokens_per_s)
    x0, sigma = x.mean(), 0.1  # hosts that are shared differ by tenths from run to run

    def parts(theta: Array) -> Array:
        fixed, scale, power = theta
        return np.stack([np.full_like(x, fixed), scale + power * (x - x0)])

    def residuals(theta: Array) -> Array:
        fitted = np.logaddexp.reduce(parts(theta))
        return np.append((fitted - target) / sigma, (theta[2] - 1) / power_sd)

    def jacobian(theta: Array) -> Array:
        logs = parts(theta)
        wf, ws = np.exp(logs - np.logaddexp.reduce(logs))
        slopes = np.stack([wf, ws, ws * (x - x0)], axis=1) / sigma
        return np.vstack([slopes, np.array([[0, 0, 1 / power_sd]])])

    middle = float(np.median(target))
    low = np.array([target.min() - 12, target.min() - 12, 0.1])
    high = np.array([target.max() + 1, target.max() + 1, 2.0])
    if start is None:
        starts = [
            np.array([middle + np.log(share), middle + np.log(1 - share), power])
            for share in (0.1, 0.5)
            for power in (0.6, 1.0)
        ]
    else:
        scale = _log(start.scale) + start.power * x0
        starts = [np.array([_log(start.fixed), scale, start.power])]
    fixed, scale, power = (float(v) for v in _best(residuals, jacobian, starts, (low, high)))
    return SpeedLaw(
        fixed=np.exp(fixed).item(), scale=np.exp(scale - power * x0).item(), power=power
    )


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-300)))


def _best(residuals, jacobian, starts: Sequence[Array], bounds: tuple[Array, Array]) -> Array:
    """The parameters of least loss over the starts."""
    inside = [np.clip(start, bounds[0] + 1e-6, bounds[1] - 1e-6) for start in starts]
    found = [
        least_squares(residuals, start, jac=jacobian, bounds=bounds, loss="huber", f_scale=_HUBER)
        for start in inside
    ]
    return min(found, key=lambda one: one.cost).x


@dataclass(frozen=True)
class PowerLaw:
    """y = scale * x^exponent, with R² on log-log axes over `num_points`."""

    scale: float
    exponent: float
    r2: float
    num_points: int


def power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw:
    """A straight line on log-log axes by least squares."""
    logs_x, logs_y = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    exponent, intercept = np.polyfit(logs_x, logs_y, 1)
    rest = logs_y - (intercept + exponent * logs_x)
    total = float(np.sum((logs_y - logs_y.mean()) ** 2))
    r2 = 1 - float(np.sum(rest**2)) / total if total > 0 else 1.0
    return PowerLaw(float(np.exp(intercept)), float(exponent), r2, len(logs_x))
