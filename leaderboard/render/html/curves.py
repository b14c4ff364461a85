"""Loss curves made small: an entry's runs as one line of few points."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_POINTS = 60
_MOST_NATS = 1e6  # of a stranger's curve; sums stay finite
Curve = Sequence[tuple[float, float | None]]


def thinned(curves: Sequence[Curve], num_points: int = MAX_POINTS) -> list[list[float | None]]:
    """[share, nats] in at most `num_points` equal stretches of the budget, over all runs.

    A stretch's loss is its mean; None where a run's was not finite, which breaks the line.
    """
    shares, sums, counts = [0.0] * num_points, [0.0] * num_points, [0] * num_points
    broken: set[int] = set()
    last = num_points - 1
    for curve in curves:
        for share, nats in curve:
            place = int(share * num_points)
            place = last if place > last else 0 if place < 0 else place
            if nats is None:
                broken.add(place)
            else:
                shares[place] += share
                sums[place] += nats if nats < _MOST_NATS else _MOST_NATS
                counts[place] += 1
    out: list[list[float | None]] = []
    for place, n in enumerate(counts):
        if place in broken:
            out.append([round((place + 0.5) / num_points, 4), None])
        elif n:
            out.append([round(shares[place] / n, 4), round(sums[place] / n, 4)])
    return out


def is_line(thin: Sequence[Sequence[float | None]]) -> bool:
    """Whether there is more than a point to draw: counted models end before they have begun."""
    return sum(nats is not None for _, nats in thin) > 1


def script(found: Mapping[str, Any]) -> str:
    """A script that gives the page its curves; a file, because pages from disk may not fetch."""
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"window.CURVES = {text.replace('<', chr(92) + 'u003c')};\n"


def drawing(curves: Sequence[tuple[str, Curve]], width: float, height: float) -> dict[str, Any]:
    """Lines of an entry's runs for a plot of this size, with the ticks of its axis.

    The axis leaves the first twentieth of the budget out, where a loss falls from anywhere.
    """
    thin = [(label, line) for label, c in curves if is_line(line := thinned([c]))]
    points = [(s, x) for _, line in thin for s, x in line if s is not None and x is not None]
    if not points:
        return {}
    settled = [x for s, x in points if s >= 0.05] or [x for _, x in points]
    low, high = min(settled), max(settled)
    pad = 0.06 * (high - low) or 0.5
    low, high = max(0.0, low - pad), high + pad

    def at(share: float, nats: float) -> str:
        # Far above the axis is cut off by the drawing; a number of reasonable size will do.
        y = max(-5 * height, height * (1 - (nats - low) / (high - low)))
        return f"{share * width:.1f} {y:.1f}"

    lines = []
    for label, line in thin:
        path, pen = [], "M"
        for share, nats in line:
            if nats is None or share is None:
                pen = "M"
                continue
            path.append(f"{pen}{at(share, nats)}")
            pen = "L"
        lines.append((label, "".join(path)))
    ticks = [low + (high - low) * part for part in (0.1, 0.37, 0.64, 0.91)]
    return {
        "width": width,
        "height": height,
        "lines": lines,
        "ticks": [(f"{height * (1 - (t - low) / (high - low)):.1f}", f"{t:.2f}") for t in ticks],
    }
