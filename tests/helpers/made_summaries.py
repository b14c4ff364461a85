"""Runs of made-up entries, who submitted them, and their only board."""

from collections.abc import Iterable
from typing import Any

from helpers.made_records import made, submission

from leaderboard.attestations import Submission
from leaderboard.standing.boards import Board, boards
from speedrun.records.summary import Summary, summarize


def runs(*scores: float, day: int = 1, first_seed: int = 0, **changes: Any) -> list[Summary]:
    """Runs of one config under different seeds, one an hour."""
    named = {path.replace("__", "."): value for path, value in changes.items()}
    day_of = f"2026-01-{day:02}T{{:02}}:00:00+00:00"
    return [
        summarize(made(score, seed, {"created": day_of.format(seed), **named}))
        for seed, score in enumerate(scores, start=first_seed)
    ]


def named(name: str | None, of: Iterable[Summary], author: str | None) -> dict[str, Submission]:
    """Notes that enter these runs under a name."""
    return {run.id: submission(run.id, name, author) for run in of}


def only(found: Iterable[Summary], **at: Any) -> Board:
    """The one board of these runs."""
    (board,) = boards(found, **at)
    return board
