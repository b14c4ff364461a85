"""The laws behind a sweep: loss over parameters and tokens, speed over parameters, the optimum.

Loss is L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, approach 3), here in bits per
byte of held-out text, N in trainable parameters, D in training tokens. Speed is seconds per token
t(N) = fixed + scale * N^power. At a budget of T seconds D = T / t(N), so that the loss over N is a
falling power plus a rising one: it has one minimum, the time-optimal size. A parabola in log N
would have one, too, but bends alike on both sides and says nothing about other budgets.

How they are fitted to runs is in `fitting`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar

CHINCHILLA_RATIO = 20.0  # tokens per parameter
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
        "go smaller"
        if params <= smallest * _EDGE
        else "go larger"
        if params >= largest / _EDGE
        else ""
    )
    return Optimum(
        minutes=minutes,
        params=params,
        low=float(min(low, params)),
        high=float(max(high, params)),
        bits_per_byte=loss,
        is_edge=bool(advice),
        advice=advice,
    )


def ratio_size(speed: SpeedLaw, minutes: float, ratio: float = CHINCHILLA_RATIO) -> float:
    """The size that sees `ratio` tokens per parameter in a budget (Hoffmann et al. 2022)."""

    def excess(log_params: float) -> float:
        n = np.exp(log_params)
        return float(np.log(60 * minutes * speed.tokens_per_s(n) / (ratio * n)))

    root: Any = brentq(excess, 0.0, 60.0)
    return float(np.exp(root))


def frontier(x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """Which points no point of less or equal x beats in y: the least loss for the compute."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    return np.array([not np.any((xs <= a) & (ys < b)) for a, b in zip(xs, ys, strict=True)])
