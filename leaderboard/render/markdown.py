"""Leaderboard as Markdown: `LEADERBOARD.md` and the comment on a pull request."""

from collections.abc import Sequence

from leaderboard.rank import Board
from leaderboard.render import columns
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
        lines += ["", f"## {markdown(board.track.label)}", "", markdown(columns.record_line(board))]
        lines += ["", *_table(board)]
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
        cells = [c.cell(entry) if c.is_number else markdown(c.cell(entry)) for c in columns.COLUMNS]
        table.append([str(place), f"**{name}**" if entry.status == "record" else name, *cells])
    return [f"| {' | '.join(cells)} |" for cells in table]
