"""Section of the index page: a track with its plots, and which curves and stories it shows."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leaderboard.render.html import entry as entry_page
from leaderboard.render.html.series import NUM_SERIES
from leaderboard.standing.boards import Board
from leaderboard.standing.entries import Entry

if TYPE_CHECKING:  # of matplotlib, which only the processes that draw need
    from leaderboard.render.html.plots import Plot

_NUM_CHOSEN, _NUM_STORIES = 5, 6  # curves and stories on the index


class Section:
    """Track on the index page."""

    def __init__(self, board: Board, series: Mapping[str, int]) -> None:
        self.board, self.series = board, series
        text = "\0".join(map(str, board.track)).encode("utf-8", "surrogatepass")
        self.id = hashlib.sha256(text).hexdigest()[:12]  # for links and scripts
        self.plots: Sequence[Plot] = ()
        # By entry. They and the plots are filled while the pages of entries are written.
        self.curves: dict[str, entry_page.Thin] = {}
        self.stories: dict[str, str] = {}

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each entry on the track."""
        return {entry.id: place for place, entry in enumerate(self.board.entries, start=1)}

    @cached_property
    def alike(self) -> dict[str, list[Entry]]:
        """Entries of one configuration and source, under any name and author."""
        found: dict[str, list[Entry]] = {}
        for entry in self.board.entries:
            found.setdefault(entry.base, []).append(entry)
        return found

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
    def told(self) -> dict[str, Entry]:
        """Entries whose story the index tells: records, then the best of each architecture."""
        wanted = {entry.id: entry for entry in (*self.board.records, *self.best.values())}
        return dict(itertools.islice(wanted.items(), _NUM_STORIES))

    @cached_property
    def chosen(self) -> set[str]:
        """Entries whose curves are shown at first: records and the best of each architecture."""
        wanted = dict.fromkeys(e.id for e in (*self.board.records, *self.best.values()))
        return set([id for id in wanted if id in self.curves][:_NUM_CHOSEN])

    def duel_of(self, entry: Entry) -> dict[str, Any] | None:
        """The duel by which an entry holds the record."""
        found = (one for one in self.board.duels if one.duel.id == entry.duel)
        return next(map(entry_page.duel, found), None)
