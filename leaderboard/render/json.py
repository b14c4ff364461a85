"""Leaderboard as plain values for JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from leaderboard.standing.boards import Board
from leaderboard.standing.duels import JudgedDuel
from leaderboard.standing.entries import SPREADS, Entry
from speedrun.records.duel import SIDES

_OF_ENTRY = ("id", "name", "author", "status", "rival", "probability", "duel", "p_value", "why")
_OF_ENTRY += ("basis", "num_verified", "created", "unfit_because", "flags", "matmul")
_OF_FIRST_RUN = ("arch", "backend", "device", "likelihood", "num_params", "vocab")


def boards(found: Sequence[Board], problems: Sequence[str]) -> dict[str, Any]:
    """Tracks with all of their entries, and the problems found in the store."""
    return {"tracks": [_board(board) for board in found], "problems": list(problems)}


def _board(board: Board) -> dict[str, Any]:
    return {
        "track": board.track._asdict(),
        "title": board.title,
        "matmul_gflops": board.matmul,
        "entries": [_entry(place, e) for place, e in enumerate(board.entries, start=1)],
        "duels": [_duel(one) for one in board.duels],
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
        "energy": (spent := entry.energy) and spent._asdict(),
        "recipe": first.recipe_name,
        "tokenizer": first.tokenizer_fingerprint,
        "verified": entry.mark,
        "dirty": entry.is_dirty,
        "outside": entry.is_outside,
        "source": first.source,
        "runs": [
            {
                "id": run.id,
                "seed": run.seed,
                "bits_per_byte": run.bits_per_byte,
                "counts": run.id in entry.counted and entry.basis != "none",
            }
            for run in entry.runs
        ],
    }


def _duel(one: JudgedDuel) -> dict[str, Any]:
    return {
        "id": one.duel.id,
        **{side: one.entries[side].id for side in SIDES},
        "pairs": len(one.duel.counted),
        "verdict": _finite(asdict(one.verdict)),
        "why_not": one.why_not,
    }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """The interval of a single pair has no ends."""
    is_open = {name: isinstance(v, float) and not math.isfinite(v) for name, v in values.items()}
    return {name: None if is_open[name] else value for name, value in values.items()}
