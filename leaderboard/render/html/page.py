"""Leaderboard as static web pages that load nothing from elsewhere.

Records are read one entry at a time, so that memory does not grow with the leaderboard.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from leaderboard import index as catalogue
from leaderboard.render import columns
from leaderboard.render.html import entry as entry_page
from leaderboard.render.html.folder import pages
from leaderboard.render.html.plots import Plot, draw_plots
from leaderboard.render.html.series import NUM_SERIES, series
from leaderboard.render.verification import second_line
from leaderboard.standing.boards import Board
from leaderboard.standing.entries import MIN_SEEDS, Entry
from leaderboard.store import Store
from speedrun.duel.verdict import RECORD_PAIRS, SIGNIFICANCE
from speedrun.records import host
from speedrun.records.sanitize import sanitize
from speedrun.records.sections import BESIDE_CLOCK, CLOCK_TITLES, OFF_CLOCK, ON_CLOCK
from speedrun.system import git
from speedrun.text import counted, format_size

MAX_CURVES = 100  # of a track, those of the best entries
_NUM_CHOSEN, _NUM_STORIES = 5, 6  # curves and stories on the index
_MAX_STORY = 420  # characters of one
_MAX_TEXT, _MAX_SETTING = 20_000, 300  # characters
_ASSETS = Path(__file__).with_name("assets")


class Section:
    """Track on the index page."""

    def __init__(self, board: Board, series: Mapping[str, int]) -> None:
        self.board, self.series = board, series
        text = "\0".join(map(str, board.track)).encode("utf-8", "surrogatepass")
        self.id = hashlib.sha256(text).hexdigest()[:12]  # for links and scripts
        # By entry, filled while their pages are written.
        self.curves: dict[str, entry_page.Thin] = {}
        self.stories: dict[str, str] = {}

    @cached_property
    def plots(self) -> list[Plot]:
        """Plots of the track."""
        return draw_plots(self.board, self.series)

    @cached_property
    def best(self) -> dict[str, Entry]:
        """The best entry of each architecture, the best first."""
        found: dict[str, Entry] = {}
        for entry in self.board.entries:
            found.setdefault(entry.first.arch, entry)
        return found

    @property
    def has_others(self) -> bool:
        """Whether architectures of it share the last number."""
        return any(self.series[arch] == NUM_SERIES for arch in self.best)

    @cached_property
    def told(self) -> list[Entry]:
        """Entries whose story the index tells: records, then the best of each architecture."""
        wanted = {entry.id: entry for entry in (*self.board.records, *self.best.values())}
        return list(wanted.values())[:_NUM_STORIES]

    @cached_property
    def chosen(self) -> set[str]:
        """Entries whose curves are shown at first: records and the best of each architecture."""
        wanted = dict.fromkeys(e.id for e in (*self.board.records, *self.best.values()))
        return set([id for id in wanted if id in self.curves][:_NUM_CHOSEN])

    def duel_of(self, entry: Entry) -> dict[str, Any] | None:
        """The duel by which an entry holds the record."""
        found = (one for one in self.board.duels if one.duel.id == entry.duel)
        return next(map(entry_page.duel, found), None)


def write_page(to: Path, boards: Sequence[Board], store: Store) -> Path:
    """Write the index and a page for every entry; return the path of index.html.

    Raises ValueError or LookupError where `to` cannot be written or a record was deleted or changed
    since the store was listed; the old pages stay as they were.
    """
    jinja = _environment()
    with pages(to) as write:
        numbers = series(boards)
        sections = [Section(board, numbers) for board in boards]
        curves: dict[str, entry_page.Thin] = {}
        for section in sections:
            for entry, context in _entries(section, store):
                text = jinja.get_template("entry.html").render(
                    section=section, series=numbers, **context
                )
                write(f"entries/{entry.id}.html", text)
            curves |= section.curves
        # A script, because pages opened from a disk may not fetch files.
        text = json.dumps(curves, separators=(",", ":"), allow_nan=False)
        write("curves.js", f"window.CURVES = {text};\n")
        index = jinja.get_template("index.html")
        write("index.html", index.render(sections=sections, series=numbers))
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
        first = next((record for record in counted if record.sample is not None), None)
        if first is not None and first.sample is not None and entry in section.told:
            section.stories[id] = first.sample.text
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
    jinja.globals.update(links=_links(), counted=counted)
    jinja.filters.update(
        story=_story,
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
        second=second_line,
        host=host.describe,
        unfit=host.unfit_because,
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


def _story(value: str) -> Markup:
    """The beginning of a story, cut after a word."""
    cut = value if len(value) <= _MAX_STORY else f"{value[:_MAX_STORY].rsplit(None, 1)[0]} …"
    return _text(re.sub(r"\s*\n\s*", "\n", cut.strip()))


def _links() -> dict[str, str]:
    """Addresses of the project and its rules, where the checkout says from which one it comes."""
    home = git.web_address()
    if home is None:
        return {}
    files = f"{home}/-/blob/HEAD" if "gitlab" in home else f"{home}/blob/HEAD"
    return {
        "project": home,
        "rules": f"{files}/leaderboard/README.md",
        "commands": f"{files}/docs/leaderboard.md",
    }


def _setting(value: Any) -> str:
    """A setting as JSON, text without its quotes, cut at a length."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "(nested too deeply)"
    return text if len(text) <= _MAX_SETTING else f"{text[:_MAX_SETTING]}…"
