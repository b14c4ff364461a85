"""The leaderboard in a terminal."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.rank import Board, Entry
from leaderboard.render import columns as cells
from leaderboard.render.columns import COLUMNS, Column
from speedrun.records.sanitize import sanitize

# What a narrow terminal does without, the most dispensable first.
_DISPENSABLE = (
    "author",
    "verified",
    "backend",
    "date",
    "tokens/s",
    "architecture",
    "perplexity (vocab)",
    "tokens",
    "parameters",
    "n",
)
_NAME_WIDTH, _STANDING_WIDTH = 16, 20  # columns of text that folds well
_STYLES = {"record": "bold green", "unconfirmed": "yellow"}


def show(console: Console, boards: Sequence[Board], top: int) -> None:
    """Print every track, the best `top` entries of each (0: all)."""
    left_out: list[str] = []
    for board in boards:
        entries = board.entries[: top or None]
        columns = _fitting(entries, console.width)
        left_out += [column.title for column in COLUMNS if column not in columns]
        console.print(Text(sanitize(board.track.label), style="bold"))
        console.print(Text(sanitize(cells.record_line(board))), soft_wrap=True)
        console.print(_table(entries, columns))
        left = len(board.entries) - len(entries)
        if left > 0:
            console.print(Text(f"and {left:,} more: --top 0 shows all", style="dim"))
        for row in board.unranked[: top or None]:
            what = f"not ranked: {row.arch}, seed {row.seed} ({row.unranked_because})"
            console.print(Text(sanitize(what), style="dim"))
        console.print()
    if left_out:
        titles = ", ".join(dict.fromkeys(left_out))
        console.print(Text(f"A wider terminal also shows: {titles}", style="dim"))
    if boards:
        console.print(Text(cells.LEGEND, style="dim"))


def _fitting(entries: Sequence[Entry], width: int) -> list[Column]:
    """The columns that a terminal has room for without folding numbers."""
    wanted = {
        column.title: max(
            cell_len(text)
            for text in (column.title, *(sanitize(column.cell(entry)) for entry in entries))
        )
        for column in COLUMNS
    }
    wanted["standing"] = min(wanted["standing"], _STANDING_WIDTH)
    needed = len(str(len(entries))) + 2 + _NAME_WIDTH + sum(2 + n for n in wanted.values())
    given_up: set[str] = set()
    for title in _DISPENSABLE:
        if needed > width:
            given_up.add(title)
            needed -= 2 + wanted[title]
    return [column for column in COLUMNS if column.title not in given_up]


def _table(entries: Sequence[Entry], columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("name", overflow="fold", min_width=12)
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            overflow="fold",
            no_wrap=column.is_number,
        )
    for place, entry in enumerate(entries, start=1):
        values = (cells.label(entry), *(column.cell(entry) for column in columns))
        table.add_row(
            Text(str(place)),
            *(Text(sanitize(value)) for value in values),
            style=_STYLES.get(entry.status, ""),
        )
    return table
