"""Loss curves over the seconds of a budget: smoothed, averaged, and the time to equal loss."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speedrun.records.schema import Record

SMOOTHING = 0.05  # share of the budget over which losses are averaged


@dataclass(frozen=True)
class Curve:
    """Smoothed training loss over seconds of the budget, averaged over runs."""

    seconds: NDArray[np.float64]
    nats: NDArray[np.float64]

    def at(self, second: float) -> float | None:
        """Interpolated loss at a time; None outside the curve."""
        if not len(self.seconds) or not self.seconds[0] <= second <= self.seconds[-1] + 1e-6:
            return None
        return float(np.interp(second, self.seconds, self.nats))

    def reached(self, nats: float) -> float | None:
        """First second at which the loss is at most `nats`."""
        below = np.flatnonzero(self.nats <= nats)
        return float(self.seconds[below[0]]) if len(below) else None


def curve(records: Sequence[Record]) -> Curve:
    """Mean of the smoothed loss curves of runs with one budget."""
    smoothed = []
    for record in records:
        points = [(share, nats) for share, nats in record.train.loss_curve if nats is not None]
        if points:
            share, nats = np.array(points, dtype=np.float64).T
            smoothed.append((share * record.budget_s, _smooth(share, nats)))
    if not smoothed:
        return Curve(np.empty(0), np.empty(0))
    seconds = max((s for s, _ in smoothed), key=len)
    return Curve(seconds, np.mean([np.interp(seconds, s, nats) for s, nats in smoothed], axis=0))


def _smooth(share: NDArray[np.float64], nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the losses within the last `SMOOTHING` of the budget."""
    starts = np.searchsorted(share, share - SMOOTHING)
    sums = np.concatenate(([0.0], np.cumsum(nats)))
    ends = np.arange(1, len(nats) + 1)
    return (sums[ends] - sums[starts]) / (ends - starts)


def time_to_equal_loss(x: Curve, y: Curve) -> dict[str, float | None]:
    """Seconds of the budget after which each side reached the other's final training loss."""
    a_final, b_final = float(x.nats[-1]), float(y.nats[-1])
    return {
        "a_final": a_final,
        "b_final": b_final,
        "b_reached_a_final_s": y.reached(a_final),
        "a_reached_b_final_s": x.reached(b_final),
    }


def thinned(curve: list[tuple[float, float]], num_points: int) -> list[tuple[float, float]]:
    """The curve averaged into at most `num_points` points of equal width in share."""
    if len(curve) <= num_points:
        return curve
    edges = np.linspace(0, len(curve), num_points + 1).astype(int)
    pieces = (zip(*curve[a:b], strict=True) for a, b in itertools.pairwise(edges))
    return [(sum(shares) / len(shares), sum(nats) / len(nats)) for shares, nats in pieces]
