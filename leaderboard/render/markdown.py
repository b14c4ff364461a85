"""The leaderboard as Markdown: `LEADERBOARD.md`, and the comment under a pull request."""

from collections.abc import Sequence

from leaderboard.rank import Board
from leaderboard.render import columns
from speedrun.records.sanitize import markdown

FILE = "LEADERBOARD.md"
COMMAND = "python run.py leaderboard --format markdown --to ."


def render(boards: Sequence[Board]) -> str:
    """The whole file; the same records give the same bytes."""
    lines = [
        "# Leaderboard",
        "",
        f"Made from the records by `{COMMAND}`; no number here is written by hand.",
        "The rules and how to take part: [leaderboard/README.md](leaderboard/README.md).",
    ]
    for board in boards:
        lines += ["", f"## {markdown(board.track.label)}", "", markdown(columns.record_line(board))]
        lines += ["", *_table(board)]
        if board.unranked:
            lines += ["", f"{len(board.unranked)} further run(s) do not rank."]
    if boards:
        lines += ["", columns.LEGEND.replace("*", "\\*") + "."]
    else:
        lines += ["", "There are no records yet."]
    return "\n".join(lines) + "\n"


def _table(board: Board) -> list[str]:
    titles = ["", "name", *(column.title for column in columns.COLUMNS)]
    rules = ["--:", "---", *("--:" if column.is_number else "---" for column in columns.COLUMNS)]
    rows = [titles, rules]
    for place, entry in enumerate(board.entries, start=1):
        name = markdown(columns.label(entry))
        rows.append(
            [str(place), f"**{name}**" if entry.status == "record" else name]
            + [_cell(column, entry) for column in columns.COLUMNS]
        )
    return ["| " + " | ".join(row) + " |" for row in rows]


def _cell(column: columns.Column, entry: columns.Entry) -> str:
    value = column.cell(entry)
    return value if column.is_number else markdown(value)
