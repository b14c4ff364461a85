"""The laws behind a sweep: loss over parameters and tokens, speed over parameters, the optimum.

Loss is L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, approach 3), here in bits per
byte of held-out text, N in trainable parameters, D in training tokens. Speed is seconds per token
t(N) = fixed + scale * N^power. At a budget of T seconds D = T / t(N), so that the loss over N is a
falling power plus a rising one: it has one minimum, the time-optimal size. A parabola in log N
would have one, too, but bends alike on both sides and says nothing about other budgets.

Every run enters with the tokens it really saw: an hour in which the machine was slow moves a run
along the law and not off it. All fits are Huber fits of log residuals, so that single runs that
went astray pull little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, least_squares, minimize_scalar

MIN_SIZES = 4  # three fix E, A and B, and one has to be left to see a misfit by
NUM_RESAMPLES = 200
CHINCHILLA_RATIO = 20.0  # tokens per parameter
# Exponents that sizes of one budget alone leave open are drawn to the published ones.
PUBLISHED_ALPHA, PUBLISHED_BETA, PRIOR_SD = 0.34, 0.28, 0.15
_HUBER = 1.345  # standard deviations: 95 % efficient where noise is normal (Huber 1964)
_SIGMA_RANGE = (0.002, 0.05)  # of log loss between seeds
_SIGMA_ALONE = 0.01  # where no size was raced under two seeds
_REACH = 4.0  # how far beyond the swept sizes an optimum is looked for
_EDGE = 1.01

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LossLaw:
    """Bits per byte after D tokens at N parameters."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def __call__(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        n, d = np.asarray(params, float), np.asarray(tokens, float)
        return self.E + self.A * n**-self.alpha + self.B * d**-self.beta


@dataclass(frozen=True, kw_only=True)
class SpeedLaw:
    """Seconds per training token at N parameters: what every token costs, and what size adds."""

    fixed: float
    scale: float
    power: float

    def tokens_per_s(self, params: ArrayLike) -> Array:
        return 1.0 / (self.fixed + self.scale * np.asarray(params, float) ** self.power)


@dataclass(frozen=True)
class Points:
    """One element a run."""

    params: Array
    tokens: Array  # trained on
    tokens_per_s: Array
    budget_s: Array
    loss: Array  # bits per byte

    @classmethod
    def of(cls, *columns: Sequence[float]) -> "Points":
        return cls(*(np.asarray(column, float) for column in columns))

    @property
    def num_sizes(self) -> int:
        return len(np.unique(self.params))

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """Number of the cell (size and budget) that each run lies in."""
        pairs = np.stack([self.params, self.budget_s])
        return np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class Laws:
    """Both laws, and those of the resamples that their uncertainty is read from."""

    loss: LossLaw
    speed: SpeedLaw
    points: Points
    resamples: tuple[tuple[LossLaw, SpeedLaw], ...] = ()

    @property
    def swept(self) -> tuple[float, float]:
        return float(self.points.params.min()), float(self.points.params.max())

    @property
    def residuals(self) -> Array:
        """log(measured / law), one a run, at the tokens that the run saw."""
        return np.log(self.points.loss / self.loss(self.points.params, self.points.tokens))


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """The time-optimal size for a budget, with its 95 % interval."""

    minutes: float
    params: float
    low: float
    high: float
    bits_per_byte: float
    is_edge: bool  # at an end of what was swept, or beyond it
    advice: str  # "go smaller", "go larger" or nothing


@dataclass(frozen=True)
class PowerLaw:
    """y = scale * x^exponent, with R² on log-log axes over `num_points`."""

    scale: float
    exponent: float
    r2: float
    num_points: int


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
            np.array([floor + np.log(e), floor + np.log((1 - e) / 2), floor + np.log((1 - e) / 2),
                      alpha, beta])
            for e in (0.3, 0.7) for alpha in (0.2, 0.5) for beta in (0.2, 0.5)
        ]  # fmt: skip
    else:
        starts = [
            np.array([_log(start.E), _log(start.A) - start.alpha * x0,
                      _log(start.B) - start.beta * y0, start.alpha, start.beta])
        ]  # fmt: skip
    best = _best(residuals, jacobian, starts, (low, high))
    e, a, b, alpha, beta = (float(value) for value in best)
    return LossLaw(
        E=np.exp(e).item(), A=np.exp(a + alpha * x0).item(), B=np.exp(b + beta * y0).item(),
        alpha=alpha, beta=beta,
    )  # fmt: skip


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
            for share in (0.1, 0.5) for power in (0.6, 1.0)
        ]  # fmt: skip
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


def time_loss(loss: LossLaw, speed: SpeedLaw, params: ArrayLike, budget_s: float) -> Array:
    """Bits per byte that sizes reach in a budget at the speed of the law."""
    return loss(params, budget_s * speed.tokens_per_s(params))


def minimum(
    loss: LossLaw, speed: SpeedLaw, budget_s: float, low: float, high: float
) -> tuple[float, float]:
    """The size between `low` and `high` of least loss in a budget, and that loss."""

    def at(log_params: float) -> float:
        return float(time_loss(loss, speed, np.exp(log_params), budget_s))

    bounds = (float(np.log(low)), float(np.log(high)))
    # A sum of a falling and a rising power, but the speed's fixed part can flatten an end.
    ends = min(bounds, key=at)
    inner = minimize_scalar(at, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    best = ends if at(ends) <= float(inner.fun) else float(inner.x)
    return float(np.clip(np.exp(best), low, high)), at(best)


def optimum(laws: Laws, minutes: float, *, is_swept: bool) -> Optimum:
    """The time-optimal size for a budget.

    For a budget that was raced nothing beyond the swept sizes is claimed; for others the laws
    are followed up to four times beyond, and `is_edge` says that this is so.
    """
    smallest, largest = laws.swept
    reach = 1.0 if is_swept else _REACH
    bounds = (smallest / reach, largest * reach)
    params, loss = minimum(laws.loss, laws.speed, 60 * minutes, *bounds)
    found = [minimum(one, speed, 60 * minutes, *bounds)[0] for one, speed in laws.resamples]
    low, high = np.percentile([*found, params], [2.5, 97.5]) if found else (params, params)
    advice = (
        "go smaller" if params <= smallest * _EDGE
        else "go larger" if params >= largest / _EDGE
        else ""
    )  # fmt: skip
    return Optimum(
        minutes=minutes, params=params, low=float(min(low, params)), high=float(max(high, params)),
        bits_per_byte=loss, is_edge=bool(advice), advice=advice,
    )  # fmt: skip


def ratio_size(speed: SpeedLaw, minutes: float, ratio: float = CHINCHILLA_RATIO) -> float:
    """The size that sees `ratio` tokens per parameter in a budget (Hoffmann et al. 2022)."""

    def excess(log_params: float) -> float:
        n = np.exp(log_params)
        return float(np.log(60 * minutes * speed.tokens_per_s(n) / (ratio * n)))

    root: Any = brentq(excess, 0.0, 60.0)
    return float(np.exp(root))


def power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw:
    """A straight line on log-log axes by least squares."""
    logs_x, logs_y = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    exponent, intercept = np.polyfit(logs_x, logs_y, 1)
    rest = logs_y - (intercept + exponent * logs_x)
    total = float(np.sum((logs_y - logs_y.mean()) ** 2))
    r2 = 1 - float(np.sum(rest**2)) / total if total > 0 else 1.0
    return PowerLaw(float(np.exp(intercept)), float(exponent), r2, len(logs_x))


def frontier(x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """Which points no point of less or equal x beats in y: the least loss for the compute."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    return np.array([not np.any((xs <= a) & (ys < b)) for a, b in zip(xs, ys, strict=True)])
