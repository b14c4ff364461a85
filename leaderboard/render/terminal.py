"""The leaderboard in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.inert import inert
from leaderboard.rank import Board, Entry
from leaderboard.render import cells
from leaderboard.render.cells import Column

MAX_NAME = 40  # columns of text; longer names are folded


def show(console: Console, boards: Sequence[Board], top: int) -> None:
    """Print every track, the best `top` entries of each (0: all)."""
    for board in boards:
        console.print(Text(inert(board.track.label), style="bold"))
        console.print(Text(inert(cells.record_line(board))), soft_wrap=True)
        console.print(_table(board.entries[: top or None], console.width))
        left = len(board.entries) - top
        if top and left > 0:
            console.print(Text(f"and {left:,} more: --top 0 shows all", style="dim"))
        for row in board.unranked[: top or None]:
            what = f"not ranked: {row.arch}, seed {row.seed} ({row.unranked_because})"
            console.print(Text(inert(what), style="dim"))
        console.print()
    if boards:
        console.print(Text(cells.LEGEND, style="dim"))


def _table(entries: Sequence[Entry], width: int) -> Table:
    shown = _columns(entries, width)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("name", overflow="fold", max_width=MAX_NAME)
    for column in shown:
        table.add_column(column.title, justify="right" if column.is_number else "left",
                         overflow="fold")  # fmt: skip
    for place, entry in enumerate(entries, start=1):
        style = {"record": "bold green", "unconfirmed": "yellow"}.get(entry.status, "")
        values = (cells.label(entry), *(column.cell(entry) for column in shown))
        table.add_row(Text(str(place)), *(Text(inert(value)) for value in values), style=style)
    return table


def _columns(entries: Sequence[Entry], width: int) -> list[Column]:
    """The columns that fit, the most telling first; a folded table is hard to read."""
    left = width - 5 - min(MAX_NAME, max((len(inert(cells.label(e))) for e in entries), default=0))
    fitting = []
    for column in sorted(cells.COLUMNS, key=lambda column: column.rank):
        widest = max((len(inert(column.cell(entry))) for entry in entries), default=0)
        left -= max(len(column.title), min(widest, MAX_NAME)) + 2
        if left < 0 and fitting:
            break
        fitting.append(column)
    return [column for column in cells.COLUMNS if column in fitting]
