"""Leaderboard as static web pages that load nothing from elsewhere.

Records are read one entry at a time, so that memory does not grow with the leaderboard.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from leaderboard import index as catalogue
from leaderboard.render import columns
from leaderboard.render.html import entry as entry_page
from leaderboard.render.html.folder import pages
from leaderboard.render.html.plots import Plot, colours, draw_plots
from leaderboard.standing.boards import Board
from leaderboard.standing.entries import MIN_SEEDS, Entry
from leaderboard.store import Store
from speedrun.duel.verdict import RECORD_PAIRS, SIGNIFICANCE
from speedrun.records.sanitize import sanitize
from speedrun.records.sections import BESIDE_CLOCK, CLOCK_TITLES, OFF_CLOCK, ON_CLOCK
from speedrun.text import format_size

MAX_CURVES = 100  # of a track, those of the best entries
_NUM_CHOSEN = 5  # curves shown at first
_MAX_TEXT, _MAX_SETTING = 20_000, 300  # characters
_ASSETS = Path(__file__).with_name("assets")


class Section:
    """Track on the index page."""

    def __init__(self, board: Board) -> None:
        self.board, self.colours = board, colours(board)
        text = "\0".join(map(str, board.track)).encode("utf-8", "surrogatepass")
        self.id = hashlib.sha256(text).hexdigest()[:12]  # for links and scripts
        self.curves: dict[str, entry_page.Thin] = {}  # by entry, filled while they are written

    @cached_property
    def plots(self) -> list[Plot]:
        """Plots of the track."""
        return draw_plots(self.board)

    @cached_property
    def chosen(self) -> set[str]:
        """Entries whose curves are shown at first: records and the best of each architecture."""
        best = {entry.first.arch: entry for entry in reversed(self.board.entries)}
        wanted = [entry.id for entry in self.board.records]
        wanted += [entry.id for entry in self.board.entries if best[entry.first.arch] is entry]
        return set([id for id in dict.fromkeys(wanted) if id in self.curves][:_NUM_CHOSEN])


def write_page(to: Path, boards: Sequence[Board], store: Store) -> Path:
    """Write the index and a page for every entry; return the path of index.html.

    Raises ValueError or LookupError where `to` cannot be written or a record was deleted or changed
    since the store was listed; the old pages stay as they were.
    """
    jinja = _environment()
    with pages(to) as write:
        sections = [Section(board) for board in boards]
        curves: dict[str, entry_page.Thin] = {}
        for section in sections:
            for entry, context in _entries(section, store):
                text = jinja.get_template("entry.html").render(section=section, **context)
                write(f"entries/{entry.id}.html", text)
            curves |= section.curves
        # A script, because pages opened from a disk may not fetch files.
        text = json.dumps(curves, separators=(",", ":"), allow_nan=False)
        write("curves.js", f"window.CURVES = {text};\n")
        write("index.html", jinja.get_template("index.html").render(sections=sections))
        for name in ("style.css", "page.js"):
            write(name, (_ASSETS / name).read_text(encoding="utf-8"))
    return to / "index.html"


def _entries(section: Section, store: Store) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Entries with their template variables; former records first, since others refer to them."""
    places = {entry.id: place for place, entry in enumerate(section.board.entries, start=1)}
    history = {entry.id: entry for entry in section.board.history}
    rivals: dict[str, entry_page.Rival] = {}
    for id, entry in (history | {entry.id: entry for entry in section.board.entries}).items():
        records = [catalogue.fetch(store, run.id, run.file_sha256) for run in entry.runs]
        if id in history:
            rivals[id] = entry, records[0].config
        counted = [record for record in records if record.id in entry.counted]
        curve = entry_page.thinned([record.train.loss_curve for record in counted])
        if curve and places[id] <= MAX_CURVES:
            section.curves[id] = curve
        rival = rivals.get(entry.rival or "")
        yield (
            entry,
            {
                "place": places[id],
                **entry_page.context(entry, records, rival),
                **entry_page.on_board(entry, section.board),
            },
        )


def _environment() -> Environment:
    """Templates whose values are escaped and stripped of control characters by themselves."""
    jinja = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    accounts = {"on the clock": ON_CLOCK, "off the clock": OFF_CLOCK, "rules": BESIDE_CLOCK}
    jinja.globals.update(cells=columns, accounts=accounts, titles=CLOCK_TITLES)
    jinja.globals.update(min_seeds=MIN_SEEDS, record_pairs=RECORD_PAIRS, significance=SIGNIFICANCE)
    jinja.filters.update(
        text=_text,
        setting=_setting,
        size=format_size,
        seconds=lambda value: f"{value:,.2f} s" if value < 10 else f"{value:,.1f} s",
        gib=lambda size: f"{size / 2**30:.1f} GiB",
        svg=Markup,
        score=lambda value: f"{value:.4f}",
        count=lambda value: f"{value:,}",
        rate=lambda value: f"{value:,.0f}",
        p=columns.p_value,
        machine=columns.machine,
    )
    return jinja


def _finalize(value: Any) -> Any:
    """Every {{ … }} passes through this, and then through autoescape."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value if value.isascii() and value.isprintable() else sanitize(value)
    return value


def _text(value: str) -> Markup:
    """Text with its line breaks, cut at a length."""
    cut = value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    return Markup(escape(sanitize(cut, lines=True)))


def _setting(value: Any) -> str:
    """A setting as JSON, text without its quotes, cut at a length."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "(nested too deeply)"
    return text if len(text) <= _MAX_SETTING else f"{text[:_MAX_SETTING]}…"
