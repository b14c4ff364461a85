"""Pages of entries, rendered and written by several processes where there are many.

Records are read one entry at a time, so that memory does not grow with the leaderboard.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from leaderboard import index as catalogue
from leaderboard.render.html import entry as entry_page
from leaderboard.render.html.folder import Pages
from leaderboard.render.html.section import Section
from leaderboard.render.html.templates import environment
from leaderboard.standing.boards import Board
from leaderboard.standing.entries import Entry
from leaderboard.store import Store
from speedrun.records.schema import Record

MAX_CURVES = 100  # of a track, those of the best entries
_PARALLEL_FROM = 500  # entries; below, starting processes costs more than they save
_CHUNK = 32


class Rendered(NamedTuple):
    """Parts of an entry that the index shows; its page is written."""

    name: str  # of the page's file
    curve: entry_page.Thin  # of the best entries
    story: str  # of those that tell one


class Renderer:
    """Writes the page of any entry into a folder."""

    def __init__(
        self, boards: Sequence[Board], store: Store, series: Mapping[str, int], folder: Path
    ) -> None:
        self._sections = [Section(board, series) for board in boards]
        self._store, self._series, self._pages = store, series, Pages(folder)
        self._template = environment().get_template("entry.html")
        self._configs: dict[str, Mapping[str, object]] = {}  # of records that others meet

    def render(self, where: tuple[int, int]) -> Rendered:
        """The entry of a track at a place, both counted from 0."""
        section = self._sections[where[0]]
        entry = section.board.entries[where[1]]
        records = self._records(entry)
        counted = [record for record in records if record.id in entry.counted]
        told = [record.sample for record in counted if record.sample and entry.id in section.told]
        is_drawn = where[1] < MAX_CURVES
        html = self._template.render(
            section=section,
            series=self._series,
            place=section.places[entry.id],
            **entry_page.context(entry, records, self._rival(section, entry)),
            **entry_page.on_board(entry, section.board, section.alike[entry.base]),
        )
        name = f"entries/{entry.id}.html"
        self._pages.write(name, html)
        return Rendered(
            name=name,
            curve=entry_page.thinned([r.train.loss_curve for r in counted]) if is_drawn else [],
            story=told[0].text if told else "",
        )

    def _records(self, entry: Entry) -> list[Record]:
        return [catalogue.fetch(self._store, run.id, run.file_sha256) for run in entry.runs]

    def _rival(self, section: Section, entry: Entry) -> entry_page.Rival | None:
        """The record that an entry was compared with, and its config."""
        found = next((one for one in section.board.history if one.id == entry.rival), None)
        return None if found is None else (found, self._config(found))

    def _config(self, entry: Entry) -> Mapping[str, object]:
        if entry.id not in self._configs:
            run = entry.runs[0]
            record = catalogue.fetch(self._store, run.id, run.file_sha256)
            self._configs[entry.id] = record.config
        return self._configs[entry.id]


def render_all(
    boards: Sequence[Board], store: Store, series: Mapping[str, int], pages: Pages
) -> Iterator[tuple[int, Entry, Rendered]]:
    """Write every entry's page; each with the number of its track. ValueError or LookupError."""
    places = [(n, place) for n, board in enumerate(boards) for place in range(len(board.entries))]
    is_parallel = len(places) >= _PARALLEL_FROM and store.is_local and (os.cpu_count() or 1) > 1
    if not is_parallel:
        rendered = map(Renderer(boards, store, series, pages.folder).render, places)
        yield from _named(boards, places, rendered, pages)
        return
    given = boards, store.url, series, pages.folder
    with ProcessPoolExecutor(initializer=_begin, initargs=given) as pool:
        rendered = pool.map(_render, places, chunksize=_CHUNK)
        yield from _named(boards, places, rendered, pages)


def _named(
    boards: Sequence[Board],
    places: Sequence[tuple[int, int]],
    rendered: Iterator[Rendered],
    pages: Pages,
) -> Iterator[tuple[int, Entry, Rendered]]:
    for (number, place), page in zip(places, rendered, strict=True):
        pages.names.add(page.name)
        yield number, boards[number].entries[place], page


_renderers: list[Renderer] = []  # of this process


def _begin(boards: Sequence[Board], url: str, series: Mapping[str, int], folder: Path) -> None:
    _renderers.append(Renderer(boards, Store(url), series, folder))


def _render(where: tuple[int, int]) -> Rendered:
    return _renderers[0].render(where)
