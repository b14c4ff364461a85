"""Leaderboard as tables in a terminal, narrowed to its width."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.render import columns as shared
from leaderboard.render.columns import COLUMNS, Column
from leaderboard.standing.boards import Board
from leaderboard.standing.duels import JudgedDuel
from leaderboard.standing.entries import Entry
from speedrun.records.duel import SIDES
from speedrun.records.sanitize import sanitize

_NAME_WIDTH, _STANDING_WIDTH = 16, 20  # characters per line of text that wraps
_STYLES = {"record": "bold green", "unconfirmed": "yellow"}


def show(console: Console, boards: Sequence[Board], top: int) -> None:
    """Print every track with its best `top` entries (0: all)."""
    dropped: dict[str, None] = {}
    for board in boards:
        entries = board.entries[: top or None]
        columns = _fitting(entries, console.width)
        dropped |= dict.fromkeys(c.title for c in COLUMNS if c not in columns)
        console.print(Text(board.title, style="bold"))
        for line in filter(None, (shared.record_line(board), shared.facts_line(board))):
            console.print(Text(sanitize(line)), soft_wrap=True)
        if entries:
            console.print(_table(entries, columns))
        if left := len(board.entries) - len(entries):
            console.print(Text(f"and {left:,} more: --top 0 shows all", style="dim"))
        for one in board.duels[::-1][: top or None]:
            console.print(Text(sanitize(_duel(one)), style="dim"))
        for run in board.unranked[: top or None]:
            what = f"not ranked: {run.id[:8]}, {run.arch}, seed {run.seed} ({run.unranked_because})"
            console.print(Text(sanitize(what), style="dim"))
        console.print()
    if dropped:
        titles = ", ".join(dropped)
        console.print(Text(f"A wider terminal also shows: {titles}", style="dim"))
    if boards:
        console.print(Text(shared.LEGEND, style="dim"))


def _duel(one: JudgedDuel) -> str:
    a, b = (f"{one.entries[side].label} ({one.entries[side].id[:8]})" for side in SIDES)
    found = "; ".join(filter(None, (shared.duel_result(one), shared.duel_verdict(one))))
    return f"duel {one.duel.id[:8]}: A {a}, B {b}: B {found}"


def _fitting(entries: Sequence[Entry], width: int) -> list[Column]:
    """Columns that fit into `width` without wrapping numbers."""
    wanted = {
        c.title: 2 + max(map(cell_len, (c.title, *(sanitize(c.cell(entry)) for entry in entries))))
        for c in COLUMNS
    }
    wanted["standing"] = min(wanted["standing"], 2 + _STANDING_WIDTH)
    left = width - len(str(len(entries))) - 2 - _NAME_WIDTH
    for column in sorted(COLUMNS, key=lambda column: column.dropped or 99):
        if column.dropped and sum(wanted.values()) > left:
            del wanted[column.title]
    return [column for column in COLUMNS if column.title in wanted]


def _table(entries: Sequence[Entry], columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("name", overflow="fold", min_width=12)
    for column in columns:
        justify = "right" if column.is_number else "left"
        table.add_column(column.title, justify=justify, overflow="fold", no_wrap=column.is_number)
    for place, entry in enumerate(entries, start=1):
        cells = (str(place), shared.label(entry), *(column.cell(entry) for column in columns))
        style = _STYLES.get(entry.status, "")
        table.add_row(*(Text(sanitize(cell)) for cell in cells), style=style)
    return table
