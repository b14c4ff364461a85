"""Leaderboard as Markdown: `LEADERBOARD.md` and the comment on a pull request."""

from collections.abc import Sequence

from leaderboard.render import columns
from leaderboard.standing.boards import Board
from speedrun.records.duel import SIDES
from speedrun.records.sanitize import markdown
from speedrun.text import counted

FILE = "LEADERBOARD.md"
COMMAND = "python run.py leaderboard --format markdown --to ."


def render(boards: Sequence[Board]) -> str:
    """Text of `LEADERBOARD.md`; equal records give equal bytes."""
    lines = [
        "# Leaderboard",
        "",
        f"Generated from the records by `{COMMAND}`; do not edit.",
        "Rules and how to take part: [leaderboard/README.md](leaderboard/README.md).",
    ]
    for board in boards:
        lines += ["", f"## {markdown(board.title)}"]
        said = (columns.record_line(board), columns.facts_line(board))
        lines += ["", *map(markdown, filter(None, said))]
        lines += ["", *_table(board)] if board.entries else []
        if board.duels:
            lines += ["", *_duels(board)]
        if board.unranked:
            lines += ["", f"Not ranked: {counted(len(board.unranked), 'more run')}."]
    legend = columns.LEGEND.replace("*", "\\*")
    lines += ["", f"{legend}." if boards else "There are no records yet."]
    return "\n".join(lines) + "\n"


def _table(board: Board) -> list[str]:
    titles = ["", "name", *(column.title for column in columns.COLUMNS)]
    rules = ["--:", "---", *("--:" if column.is_number else "---" for column in columns.COLUMNS)]
    table = [titles, rules]
    for place, entry in enumerate(board.entries, start=1):
        name = markdown(columns.label(entry))
        cells = [markdown(column.cell(entry)) for column in columns.COLUMNS]
        table.append([str(place), f"**{name}**" if entry.status == "record" else name, *cells])
    return _rows(table)


def _duels(board: Board) -> list[str]:
    table = [["duel", "A", "B", "B against A", "verdict"], ["---"] * 5]
    for one in reversed(board.duels):
        sides = [f"{one.entries[side].label} ({one.entries[side].id[:8]})" for side in SIDES]
        cells = (one.duel.id[:8], *sides, columns.duel_result(one), columns.duel_verdict(one))
        table.append([markdown(cell) for cell in cells])
    return _rows(table)


def _rows(table: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in table]
