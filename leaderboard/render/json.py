"""The leaderboard as plain values, for --json and for those who draw their own."""

from collections.abc import Sequence
from typing import Any

from leaderboard.rank import Board, Entry
from speedrun.records.statistics import Spread


def boards(found: Sequence[Board], problems: Sequence[str]) -> dict[str, Any]:
    return {"tracks": [_board(board) for board in found], "problems": list(problems)}


def _board(board: Board) -> dict[str, Any]:
    return {
        "track": board.track._asdict(),
        "entries": [_entry(place, e) for place, e in enumerate(board.entries, start=1)],
        "history": [entry.id for entry in board.history],
        "unranked": [
            {"id": row.id, "arch": row.arch, "seed": row.seed, "why": row.unranked_because}
            for row in board.unranked
        ],
    }


def _entry(place: int, entry: Entry) -> dict[str, Any]:
    first = entry.first
    return {
        "place": place,
        "id": entry.id,
        "name": entry.name,
        "authors": list(entry.authors),
        "arch": first.arch,
        "recipe": first.recipe_name,
        "backend": first.backend,
        "device": first.device,
        "likelihood": first.likelihood,
        "num_params": first.num_params,
        "bits_per_byte": _spread(entry.bits_per_byte),
        "perplexity": _spread(entry.perplexity),
        "vocab": first.vocab,
        "tokenizer": first.tokenizer_fingerprint,
        "num_tokens": _spread(entry.num_tokens),
        "tokens_per_s": _spread(entry.tokens_per_s),
        "status": entry.status,
        "rival": entry.rival,
        "p_value": entry.p_value,
        "why": entry.why,
        "verified": entry.mark,
        "num_verified": entry.num_verified,
        "dirty": entry.is_dirty,
        "created": entry.created,
        "runs": [
            {"id": row.id, "seed": row.seed, "bits_per_byte": row.bits_per_byte}
            for row in entry.runs
        ],
    }


def _spread(value: Spread) -> dict[str, Any]:
    return value._asdict()
