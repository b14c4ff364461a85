"""Leaderboard as plain values for JSON."""

from collections.abc import Sequence
from typing import Any

from leaderboard.rank import SPREADS, Board, Entry

_OF_ENTRY = ("id", "name", "status", "rival", "p_value", "why", "num_verified", "created")
_OF_FIRST_RUN = ("arch", "backend", "device", "likelihood", "num_params", "vocab")


def boards(found: Sequence[Board], problems: Sequence[str]) -> dict[str, Any]:
    """Tracks with all of their entries, and the problems found in the store."""
    return {"tracks": [_board(board) for board in found], "problems": list(problems)}


def _board(board: Board) -> dict[str, Any]:
    return {
        "track": board.track._asdict(),
        "entries": [_entry(place, e) for place, e in enumerate(board.entries, start=1)],
        "history": [entry.id for entry in board.history],
        "unranked": [
            {"id": run.id, "arch": run.arch, "seed": run.seed, "why": run.unranked_because}
            for run in board.unranked
        ],
    }


def _entry(place: int, entry: Entry) -> dict[str, Any]:
    first = entry.first
    return {
        "place": place,
        **{name: getattr(entry, name) for name in _OF_ENTRY},
        **{name: getattr(first, name) for name in _OF_FIRST_RUN},
        **{name: getattr(entry, name)._asdict() for name in SPREADS},
        "recipe": first.recipe_name,
        "tokenizer": first.tokenizer_fingerprint,
        "authors": list(entry.authors),
        "verified": entry.mark,
        "dirty": entry.is_dirty,
        "runs": [
            {"id": run.id, "seed": run.seed, "bits_per_byte": run.bits_per_byte}
            for run in entry.runs
        ],
    }
