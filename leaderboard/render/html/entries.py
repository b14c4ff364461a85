"""Pages of entries and plots of tracks, by several processes where there are many.

Records are read one entry at a time, so that memory does not grow with the leaderboard.
"""

import contextlib
import gc
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from leaderboard import index as catalogue
from leaderboard.render.html import entry as entry_page
from leaderboard.render.html.folder import Pages
from leaderboard.render.html.section import Section
from leaderboard.render.html.templates import environment
from leaderboard.standing.boards import Board
from leaderboard.standing.entries import Entry
from leaderboard.store import Store
from speedrun.records.schema import Record

if TYPE_CHECKING:
    from leaderboard.render.html.plots import Plot

MAX_CURVES = 100  # of a track, those of the best entries
_PARALLEL_FROM = 500  # entries; below, starting processes costs more than they save
_CHUNK = 32


class Rendered(NamedTuple):
    """Parts of an entry that the index shows; its page is written."""

    name: str  # of the page's file
    curve: entry_page.Thin  # of the best entries
    story: str  # of those that tell one


class Renderer:
    """Writes the page of any entry into a folder, and draws the plots of tracks."""

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

    def plots(self, number: int) -> "list[Plot]":
        """The plots of a track."""
        # Matplotlib is imported by the processes that draw, beside those that render.
        from leaderboard.render.html.plots import draw_plots

        return draw_plots(self._sections[number].board, self._series)

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
) -> list[Section]:
    """Write every entry's page; the sections of the index. ValueError or LookupError."""
    sections = [Section(board, series) for board in boards]
    places = [(n, place) for n, board in enumerate(boards) for place in range(len(board.entries))]
    given = boards, store, series, pages.folder
    with contextlib.ExitStack() as stack:
        if len(places) >= _PARALLEL_FROM and store.is_local and (os.cpu_count() or 1) > 1:
            pool = ProcessPoolExecutor(initializer=_begin, initargs=(boards, store.url, *given[2:]))
            stack.enter_context(pool)
            plots = pool.map(_plots, range(len(boards)), chunksize=len(boards) or 1)
            rendered = pool.map(_render, places, chunksize=_CHUNK)
        else:
            renderer = Renderer(*given)
            plots = map(renderer.plots, range(len(boards)))
            rendered = map(renderer.render, places)
        for (number, place), page in zip(places, rendered, strict=True):
            section, entry = sections[number], boards[number].entries[place]
            pages.names.add(page.name)
            if page.curve:
                section.curves[entry.id] = page.curve
            if page.story:
                section.stories[entry.id] = page.story
        for section, drawn in zip(sections, plots, strict=True):
            section.plots = drawn
    return sections


_renderers: list[Renderer] = []  # of this process


def _begin(boards: Sequence[Board], url: str, series: Mapping[str, int], folder: Path) -> None:
    gc.freeze()  # else the collector walks over all boards again and again
    _renderers.append(Renderer(boards, Store(url), series, folder))


def _plots(number: int) -> "list[Plot]":
    return _renderers[0].plots(number)


def _render(where: tuple[int, int]) -> Rendered:
    return _renderers[0].render(where)
