"""The leaderboard in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.inert import inert
from leaderboard.rank import Board
from leaderboard.render import cells


def show(console: Console, boards: Sequence[Board], top: int) -> None:
    """Print every track, the best `top` entries of each (0: all)."""
    for board in boards:
        console.print(Text(inert(board.track.label), style="bold"))
        console.print(Text(inert(cells.record_line(board))), soft_wrap=True)
        console.print(_table(board, top))
        left = len(board.entries) - top
        if top and left > 0:
            console.print(Text(f"and {left:,} more: --top 0 shows all", style="dim"))
        for row in board.unranked[: top or None]:
            what = f"not ranked: {row.arch}, seed {row.seed} ({row.unranked_because})"
            console.print(Text(inert(what), style="dim"))
        console.print()
    if boards:
        console.print(Text(cells.LEGEND, style="dim"))


def _table(board: Board, top: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("name", overflow="fold", min_width=12)
    for column in cells.COLUMNS:
        table.add_column(column.title, justify="right" if column.is_number else "left",
                         overflow="fold")  # fmt: skip
    for place, entry in enumerate(board.entries[: top or None], start=1):
        style = {"record": "bold green", "unconfirmed": "yellow"}.get(entry.status, "")
        values = (cells.label(entry), *(column.cell(entry) for column in cells.COLUMNS))
        table.add_row(Text(str(place)), *(Text(inert(value)) for value in values), style=style)
    return table
