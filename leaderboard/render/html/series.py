"""Colours and marker shapes of architectures: one of each for an architecture, on every page.

Both numbers are one and the same, so that whoever cannot tell the colours apart tells the shapes.
`--series-N` in style.css has the colours, `#shape-N` in base.html the shapes.
"""

from collections import Counter
from collections.abc import Iterable

from leaderboard.standing.boards import Board

NUM_SERIES = 6  # further architectures share one grey cross
MARKERS = ("o", "s", "^", "D", "P", "p", "X")  # as matplotlib names the shapes


def series(boards: Iterable[Board]) -> dict[str, int]:
    """The number of each architecture over all tracks, those with most entries first."""
    counts = Counter(entry.first.arch for board in boards for entry in board.entries)
    order = sorted(counts, key=lambda arch: (-counts[arch], arch))
    return {arch: min(number, NUM_SERIES) for number, arch in enumerate(order)}
