"""The boards of a store, or of a folder of finished runs that were not submitted."""

from collections.abc import Sequence
from pathlib import Path

from leaderboard import index
from leaderboard.index import Index
from leaderboard.standing.boards import Board
from leaderboard.standing.boards import boards as boards_of
from leaderboard.store import Store, open_store
from speedrun.records.files import read_runs
from speedrun.records.summary import summarize
from speedrun.system.paths import cache_dir


def read(url: str | None) -> tuple[list[Board], Sequence[str]]:
    """All tracks of a store, and a line for each file that is none of it; ValueError for none."""
    store = open_store(url)
    found = index.read(store, cache_dir())
    if not (found.runs or found.problems):
        found = own_runs(store)
    return of(found), found.problems


def of(found: Index) -> list[Board]:
    """All tracks of what was read."""
    return boards_of(found.runs, found.submissions, found.verifications, found.duels)


def own_runs(store: Store, *, needs_records: bool = False) -> Index:
    """A folder of finished runs, shown as a leaderboard without submitting them."""
    runs = [summarize(record) for _, record in read_runs(Path(store.url))] if store.is_local else []
    if not runs or needs_records:
        raise ValueError(f"{store.url}: no records there; add some with: run.py submit RUN")
    return Index(runs=runs)
