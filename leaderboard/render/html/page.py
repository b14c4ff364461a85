"""Leaderboard as static web pages that load nothing from elsewhere."""

import json
from collections.abc import Sequence
from pathlib import Path

from leaderboard.render.html.entries import render_all
from leaderboard.render.html.folder import pages
from leaderboard.render.html.series import series
from leaderboard.render.html.templates import ASSETS, environment
from leaderboard.standing.boards import Board
from leaderboard.store import Store


def write_page(to: Path, boards: Sequence[Board], store: Store) -> Path:
    """Write the index and a page for every entry; return the path of index.html.

    Raises ValueError or LookupError where `to` cannot be written or a record was deleted or changed
    since the store was listed; the old pages stay as they were.
    """
    with pages(to) as made:
        numbers = series(boards)
        sections = render_all(boards, store, numbers, made)
        # A script, because pages opened from a disk may not fetch files.
        curves = {id: curve for section in sections for id, curve in section.curves.items()}
        text = json.dumps(curves, separators=(",", ":"), allow_nan=False)
        made.write("curves.js", f"window.CURVES = {text};\n")
        index = environment().get_template("index.html")
        made.write("index.html", index.render(sections=sections, series=numbers))
        for name in ("style.css", "page.js"):
            made.write(name, (ASSETS / name).read_text(encoding="utf-8"))
    return to / "index.html"
