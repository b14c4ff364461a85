"""Pages of entries, rendered in several processes where there are many.

Records are read one entry at a time, so that memory does not grow with the leaderboard.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from leaderboard import index as catalogue
from leaderboard.render.html import entry as entry_page
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
    """Page of an entry, and what the index shows of its records."""

    html: str
    curve: entry_page.Thin  # of the best entries
    story: str  # of those that tell one


class Renderer:
    """Renders the page of any entry."""

    def __init__(self, boards: Sequence[Board], store: Store, series: Mapping[str, int]) -> None:
        self._sections = [Section(board, series) for board in boards]
        self._store, self._series = store, series
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
        return Rendered(
            html=html,
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
    boards: Sequence[Board], store: Store, series: Mapping[str, int]
) -> Iterator[tuple[int, Entry, Rendered]]:
    """Every entry with the number of its track. Raises ValueError or LookupError."""
    places = [(n, place) for n, board in enumerate(boards) for place in range(len(board.entries))]
    is_parallel = len(places) >= _PARALLEL_FROM and store.is_local and (os.cpu_count() or 1) > 1
    if not is_parallel:
        rendered = map(Renderer(boards, store, series).render, places)
        yield from _named(boards, places, rendered)
        return
    given = boards, store.url, series
    with ProcessPoolExecutor(initializer=_begin, initargs=given) as pool:
        yield from _named(boards, places, pool.map(_render, places, chunksize=_CHUNK))


def _named(
    boards: Sequence[Board], places: Sequence[tuple[int, int]], rendered: Iterator[Rendered]
) -> Iterator[tuple[int, Entry, Rendered]]:
    for (number, place), page in zip(places, rendered, strict=True):
        yield number, boards[number].entries[place], page


_renderers: list[Renderer] = []  # of this process


def _begin(boards: Sequence[Board], url: str, series: Mapping[str, int]) -> None:
    _renderers.append(Renderer(boards, Store(url), series))


def _render(where: tuple[int, int]) -> Rendered:
    return _renderers[0].render(where)
