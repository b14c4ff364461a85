"""Colours of architectures: the same one in every plot of a track, told apart by the colour-blind.

The values stand in `style.css`, once for light and once for dark pages, as `--series-0` and on.
"""

from collections.abc import Sequence

from leaderboard.rank import Board, Entry

NUM_COLOURS = 6
OTHER = NUM_COLOURS  # grey, for every further architecture


def colours(board: Board) -> dict[str, int]:
    """A colour for each architecture of a track, the best first."""
    return {arch: min(n, OTHER) for n, arch in enumerate(best_of_each(board.entries))}


def best_of_each(entries: Sequence[Entry]) -> dict[str, Entry]:
    """The best entry of each architecture, given entries by place."""
    best: dict[str, Entry] = {}
    for entry in entries:
        best.setdefault(entry.first.arch, entry)
    return best
