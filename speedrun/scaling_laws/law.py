"""Scaling laws of loss and speed, and the time-optimal size that follows from them.

Loss is L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, equation 2), N in trainable
parameters, D in training tokens; a sweep fits it in bits per byte. Speed is seconds per token
t(N) = fixed + scale · N^power. In T seconds D = T / t(N), so that the loss over N is a falling
power plus a rising one with a single minimum, the time-optimal size. A parabola in log N has one,
too, but bends alike on both sides and says nothing about other budgets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.optimize import brentq, minimize_scalar

from speedrun.models import flops

_REACH = 4.0  # an optimum is looked for up to this factor beyond the swept sizes
_EDGE = 1.01  # an optimum within this factor of the last size is at the edge

Array = NDArray[np.float64]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Size = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class LossLaw:
    """Loss of N parameters after D tokens, in the unit of E."""

    E: _NotNegative  # of the text itself: no model gets below
    A: _Positive
    B: _Positive
    alpha: _Positive
    beta: _Positive

    def __call__(self, params: ArrayLike, tokens: ArrayLike) -> Array:
        n, d = np.asarray(params, float), np.asarray(tokens, float)
        return self.E + self.A * n**-self.alpha + self.B * d**-self.beta

    def optimum(self, flop: float) -> tuple[float, float]:
        """Parameters and tokens of least loss at 6·N·D = `flop` (Hoffmann et al., equation 4)."""
        a, b = self.alpha, self.beta
        g = (a * self.A / (b * self.B)) ** (1 / (a + b))
        return g * (flop / 6) ** (b / (a + b)), (flop / 6) ** (a / (a + b)) / g

    def data_factor(self, size_factor: float) -> float:
        """k_D: the factor on the optimum's tokens that brings k_N times its parameters to its loss.

        At the optimum alpha·A/N^alpha = beta·B/D^beta, so that only the exponents are left (de
        Vries 2023, "Go smol or go home"). Infinite from `limit` down.
        """
        lost = (size_factor**-self.alpha - 1) * self.beta / self.alpha
        return (1 - lost) ** (-1 / self.beta) if lost < 1 else math.inf

    def extra_compute(self, size_factor: float) -> float:
        """Share of compute, k_N·k_D - 1, that k_N times the optimum's parameters cost more."""
        return size_factor * self.data_factor(size_factor) - 1

    def limit(self) -> float:
        """The k_N from which on no amount of tokens reaches the optimum's loss."""
        return (1 + self.alpha / self.beta) ** (-1 / self.alpha)

    def critical(self, extra: float = 1.0) -> float:
        """The k_N below 1 that costs `extra` more compute; at 1, twice, the critical size."""
        low, high = self.limit(), 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.extra_compute(middle) > extra else (low, middle)
        return high


# Hoffmann et al. 2022, approach 3; nats per token of their text and tokenizer.
CHINCHILLA = LossLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


@dataclass(frozen=True, kw_only=True)
class SpeedLaw:
    """Seconds per training token at N parameters: a fixed cost, and one that grows with size."""

    fixed: _NotNegative
    scale: _NotNegative
    power: _NotNegative

    def tokens_per_s(self, params: ArrayLike) -> Array:
        """Training tokens per second at these sizes."""
        return 1.0 / (self.fixed + self.scale * np.asarray(params, float) ** self.power)


@dataclass(frozen=True)
class Points:
    """The runs that laws are fitted to, one array element per run."""

    params: Array
    tokens: Array  # trained on
    tokens_per_s: Array
    budget_s: Array
    loss: Array  # bits per byte

    @classmethod
    def of(cls, *columns: Sequence[float]) -> "Points":
        """Points from sequences, in the order of the fields."""
        return cls(*(np.asarray(column, float) for column in columns))

    @property
    def num_sizes(self) -> int:
        """Number of different sizes."""
        return len(np.unique(self.params))

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """Index of the cell (size and budget) of each run."""
        pairs = np.stack([self.params, self.budget_s])
        return np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class Laws:
    """Both laws of a sweep, and their resamples, from which intervals are read."""

    loss: LossLaw
    speed: SpeedLaw
    points: Points
    resamples: tuple[tuple[LossLaw, SpeedLaw], ...] = ()

    @property
    def swept(self) -> tuple[float, float]:
        """The smallest and the largest size."""
        return float(self.points.params.min()), float(self.points.params.max())

    def advice(self, best: "Optimum") -> str:
        """`go smaller` or `go larger` for an optimum at an edge, else nothing."""
        if not best.is_edge:
            return ""
        smallest, largest = self.swept
        return "go smaller" if best.params**2 < smallest * largest else "go larger"

    @property
    def residuals(self) -> Array:
        """log(measured / law) of each run, at the tokens that it saw."""
        return np.log(self.points.loss / self.loss(self.points.params, self.points.tokens))

    def equal_tokens(self) -> tuple[Array, Array, float]:
        """Sizes, losses moved along the law to equal tokens, and that number of tokens."""
        points, loss = self.points, self.loss
        middle = float(np.exp(np.mean(np.log(points.tokens))))
        moved = points.loss * loss(points.params, middle) / loss(points.params, points.tokens)
        return points.params, moved, middle


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """The time-optimal size for a budget, with its 95 % interval."""

    minutes: float
    params: int
    low: _Size
    high: _Size
    bits_per_byte: float
    is_edge: bool  # at an end of the swept sizes, or beyond it


def time_loss(loss: LossLaw, speed: SpeedLaw, params: ArrayLike, budget_s: float) -> Array:
    """Loss that sizes reach in a budget at the speed of the law."""
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

    For a budget that was raced, only sizes within the sweep are considered; for others the laws
    are followed up to four times beyond it, and `is_edge` says so.
    """
    smallest, largest = laws.swept
    reach = 1.0 if is_swept else _REACH
    bounds = (smallest / reach, largest * reach)
    params, loss = minimum(laws.loss, laws.speed, 60 * minutes, *bounds)
    resampled = [minimum(*pair, 60 * minutes, *bounds)[0] for pair in laws.resamples]
    low, high = np.percentile([*resampled, params], [2.5, 97.5])
    return Optimum(
        minutes=minutes,
        params=round(params),
        low=round(min(low, params)),
        high=round(max(high, params)),
        bits_per_byte=loss,
        is_edge=not smallest * _EDGE < params < largest / _EDGE,
    )


def ratio_size(speed: SpeedLaw, minutes: float, ratio: float = flops.RATIO) -> float:
    """The size that sees `ratio` tokens per parameter in a budget (Hoffmann et al. 2022)."""

    def excess(log_params: float) -> float:
        n = np.exp(log_params)
        return float(np.log(60 * minutes * speed.tokens_per_s(n) / (ratio * n)))

    return math.exp(float(brentq(excess, 0.0, 60.0)))  # pyright: ignore[reportArgumentType]


def frontier(x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """The points that no point of less or equal x beats in y: the least loss for the compute."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    return np.array([not np.any((xs <= a) & (ys < b)) for a, b in zip(xs, ys, strict=True)])
