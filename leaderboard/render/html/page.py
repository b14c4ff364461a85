"""The leaderboard as a folder of web pages that need no server and nothing from outside.

Records are read once, an entry at a time, and let go: ten thousand need no more memory than one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaderboard import index as catalogue
from leaderboard.rank import Board, Entry
from leaderboard.render import columns
from leaderboard.render.html import curves, facts, palette, plots, templates
from leaderboard.render.html.folder import Pages, pages
from leaderboard.render.html.plots import Plot
from leaderboard.store import Store
from speedrun.records.schema import Record
from speedrun.records.track import Track

MAX_CURVES = 100  # of a track, the best entries'
_NUM_CHOSEN = 5  # curves shown before anybody chose
_ASSETS = ("style.css", "page.js")


@dataclass(frozen=True)
class Section:
    """A track as the index shows it."""

    board: Board
    id: str
    colours: dict[str, int]
    best: dict[str, Entry]  # of each architecture
    plots: list[Plot] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)  # by entry
    lost: list[str] = field(default_factory=list)  # entries without a page

    @property
    def chosen(self) -> set[str]:
        """Entries whose curves are shown at first: the records, the best of each architecture."""
        wanted = [entry.id for entry in (*self.board.records, *self.best.values())]
        return set([id for id in dict.fromkeys(wanted) if id in self.curves][:_NUM_CHOSEN])


def write_page(to: Path, boards: Sequence[Board], store: Store) -> Path:
    """Write everything and return the path of index.html.

    Raises ValueError where `to` cannot be written; what stood there then still stands.
    """
    jinja = templates.environment()
    index, entry_page = jinja.get_template("index.html"), jinja.get_template("entry.html")
    with pages(to) as out:
        sections = []
        for board in boards:
            section = Section(
                board,
                track_id(board.track),
                palette.colours(board),
                palette.best_of_each(board.entries),
            )
            for entry, context in _entries(section, store):
                html = entry_page.render(entry=entry, section=section, **context)
                out.write(f"entries/{entry.id}.html", html)
            section.plots.extend(plots.plots(board, section.lost))
            sections.append(section)
        found = {id: curve for section in sections for id, curve in section.curves.items()}
        out.write("curves.js", curves.script(found))
        out.write("index.html", index.render(sections=sections, **_choices(boards)))
        _assets(out)
    return to / "index.html"


def track_id(track: Track) -> str:
    """Twelve hex digits: a name that links and scripts can carry."""
    text = "\0".join(map(str, track))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _entries(section: Section, store: Store) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Every entry with what its page says; those that were a record first, others refer to them."""
    places = {entry.id: place for place, entry in enumerate(section.board.entries, start=1)}
    were = [entry.id for entry in section.board.history]
    now = {entry.id: entry for entry in section.board.entries}
    known: dict[str, facts.Known] = {}
    for id in (*were, *(id for id in now if id not in set(were))):
        entry = now[id]
        records = _records(entry, store)
        if len(records) < len(entry.runs):
            section.lost.append(id)
            continue
        if id in were:
            known[id] = facts.Known(entry, records[0].config)
        if places[id] <= MAX_CURVES:
            curve = curves.thinned([record.train.loss_curve for record in records])
            if curves.is_line(curve):
                section.curves[id] = curve
        rival = known.get(entry.rival or "")
        yield entry, {"place": places[id], **facts.of(entry, records, rival)}


def _records(entry: Entry, store: Store) -> list[Record]:
    """The records of an entry; fewer where the store has lost one since it was listed."""
    found = []
    for row in entry.runs:
        try:
            found.append(catalogue.fetch(store, row.id, row.file_sha256))
        except (LookupError, ValueError):
            break
    return found


def _assets(out: Pages) -> None:
    for name in _ASSETS:
        out.write(name, templates.asset(name))


def _choices(boards: Sequence[Board]) -> dict[str, list[str]]:
    """What the filters offer."""
    firsts = [entry.first for board in boards for entry in board.entries]
    return {
        "archs": sorted({row.arch for row in firsts}),
        "backends": sorted({columns.machine(row) for row in firsts}),
    }
