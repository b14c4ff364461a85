"""Submission of a duel: all of its runs and the duel itself, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard import index
from leaderboard import submit as submitting
from leaderboard.attestations import DataSet
from leaderboard.standing import duels
from leaderboard.store import Store
from leaderboard.submit import Candidate
from speedrun.records.artifacts import read_limited
from speedrun.records.duel import DUEL, MAX_DUEL_BYTES, SIDES, Duel, parse_duel
from speedrun.records.files import read_runs


@dataclass(frozen=True, kw_only=True)
class DuelCandidate:
    """A duel that may be submitted, read and checked, with the data that its runs open."""

    duel: Duel
    raw: bytes  # its file
    runs: list[tuple[Candidate, DataSet | None]]  # in the order of the races


def is_duel(folder: Path) -> bool:
    """Whether a folder is that of a duel."""
    return (folder / DUEL).is_file()


def candidate(
    folder: Path, store: Store, known: Sequence[DataSet], *, with_weights: bool, new_data: bool
) -> DuelCandidate:
    """A duel's folder, read and checked with all of its runs; ValueError with what is wrong."""
    file = folder / DUEL
    raw = read_limited(file, MAX_DUEL_BYTES)
    duel = parse_duel(raw, str(file))
    folders = {record.id: run for run, record in read_runs(folder)}
    if missing := [id[:12] for id in duel.records if id not in folders]:
        raise ValueError(f"{folder}: not accepted: no run {missing[0]} in it")
    found, data = [], list(known)
    counted = {getattr(pair, side) for pair in duel.counted for side in SIDES}
    for id in duel.records:
        run = submitting.candidate(folders[id], with_weights=with_weights, must_rank=id in counted)
        opens = submitting.opened_data(run, data, new_data=new_data)
        submitting.check_store(run, store)
        found.append((run, opens))
        data += [opens] if opens is not None else []
    if problems := duels.problems(duel, {run.record.id: run.record for run, _ in found}):
        raise ValueError(f"{folder}: not accepted: {'; '.join(problems)}")
    others = [one for one in index.stored_duels(store) if one.id != duel.id]
    if (other := duels.used_twice([*others, duel]).get(duel.id)) is not None:
        raise ValueError(f"{folder}: not accepted: runs of it are those of the duel {other[:12]}")
    return DuelCandidate(duel=duel, raw=raw, runs=found)


def submit(
    one: DuelCandidate, store: Store, *, name: str | None, author: str | None
) -> list[dict[str, Any]]:
    """Add a checked duel; returns what was added, the duel last.

    The name is that of side B, the challenger: A has a name already.
    """
    of_b = {pair.b for pair in one.duel.pairs}
    done = [
        submitting.submit(
            run, store, name=name if run.record.id in of_b else None, author=author, opens=opens
        )
        for run, opens in one.runs
    ]
    is_new = store.add(index.duel_name(one.duel), one.raw)
    return [*done, {"duel": one.duel.id, "added": is_new, "pairs": len(one.duel.counted)}]
