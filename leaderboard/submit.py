"""Submission of a finished run: checked first, then added to a leaderboard, never changed."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leaderboard import data_sets, index
from leaderboard.attestations import MAX_NOTE_BYTES, DataSet, Note, Submission, Verification
from leaderboard.checks import across, notes, validate
from leaderboard.store import Store
from speedrun.data.hub import repos
from speedrun.records.artifacts import (
    read_limited,
    read_tokenizer,
    read_weights,
    tokenizer_name,
    weights_name,
)
from speedrun.records.files import RECORD
from speedrun.records.schema import MAX_RECORD_BYTES, Record, parse
from speedrun.records.summary import Summary, summarize, to_be_scored
from speedrun.system import git
from speedrun.system.paths import cache_dir
from speedrun.training.runs.fetch import folder_of

VERIFICATION = "verification-*.json"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A run that may be submitted, read and checked."""

    where: str  # as it was given, for messages
    folder: Path
    author: str | None  # of one at hf://…: the user who published it
    record: Record
    raw: bytes  # the record's file
    artifacts: dict[str, bytes]  # weights and tokenizer by their names in a store, if asked for
    verifications: list[Verification]


def candidate(run: str | Path, *, with_weights: bool = False, must_rank: bool = True) -> Candidate:
    """A run's folder, hf://user/name or its record's file, read and checked.

    Raises ValueError with all its problems.
    """
    place, text = folder_of(run), str(run)
    file = place / RECORD if place.is_dir() else place
    if not file.is_file():
        raise ValueError(f"{run}: no {RECORD} there; give the folder of a finished run")
    folder, raw = file.parent, read_limited(file, MAX_RECORD_BYTES)
    record = parse(raw, str(file))  # these very bytes are added, whatever the file becomes
    if record.status == "trained":
        raise ValueError(f"{run}: not accepted: the run is {to_be_scored(text)}")
    if problems := validate.problems(record, must_rank=must_rank):
        raise ValueError(f"{run}: not accepted: {'; '.join(problems)}")
    return Candidate(
        where=text,
        folder=folder,
        author=repos.parse(text).owner if repos.is_address(text) else None,
        record=record,
        raw=raw,
        artifacts=_artifacts(folder, record) if with_weights else {},
        verifications=_verifications(folder, record),
    )


def _verifications(folder: Path, record: Record) -> list[Verification]:
    """The notes on this record in a run's folder; ValueError for one that contradicts it."""
    found, run = [], summarize(record)
    for path in sorted(folder.glob(VERIFICATION)):
        note = Verification.parse(read_limited(path, MAX_NOTE_BYTES), str(path))
        if note.record != record.id:
            continue
        if wrong := notes.problems(note, run):
            raise ValueError(f"{path}: not accepted: {'; '.join(wrong)}")
        found.append(note)
    return found


def _artifacts(folder: Path, record: Record) -> dict[str, bytes]:
    return {
        tokenizer_name(record): read_tokenizer(folder, record),
        weights_name(record): read_weights(folder, record),
    }


def opened_data(run: Candidate, known: Sequence[DataSet], *, new_data: bool) -> DataSet | None:
    """The data set that this run would be the first of; see `data_sets.opened_by`."""
    summary = summarize(run.record)
    return data_sets.opened_by(summary, known, run.where, new_data=new_data)


def check(
    runs: Iterable[str | Path], store: Store, *, with_weights: bool, new_data: bool
) -> tuple[list[tuple[Candidate, DataSet | None]], list[str]]:
    """Runs that may be submitted, with the data that each opens, and why the others may not.

    Called before the first is added. Raises ValueError where none may, or where what the store
    has of a run was changed.
    """
    known, found, refused = index.known_data(store), [], []
    stored = index.read(store, cache_dir()).runs
    for run in runs:
        try:
            one = candidate(run, with_weights=with_weights)
            _check_across(one, [*stored, *(summarize(other.record) for other, _ in found)])
            opens = opened_data(one, known, new_data=new_data)
        except ValueError as error:
            refused.append(str(error))
            continue
        check_store(one, store)
        found.append((one, opens))
        known += [opens] if opens is not None else []
    if not found:
        raise ValueError("; ".join(refused))
    return found, refused


def _check_across(run: Candidate, others: Iterable[Summary]) -> None:
    """Raise ValueError for a run with the weights of another one, or older than its commit."""
    own, commit = summarize(run.record), run.record.code.commit or ""
    alike = [o for o in others if o.weights_sha256 == own.weights_sha256 and o.id != own.id]
    if wrong := across.problems([*alike, own], {}, git.commit_times([commit])):
        raise ValueError(f"{run.where}: not accepted: {'; '.join(wrong)}")


def check_store(run: Candidate, store: Store) -> None:
    """Raise ValueError where what the store has of this run was changed.

    Called for every run before the first is added, so that a refusal leaves the store untouched.
    """
    with contextlib.suppress(LookupError):
        index.fetch(store, run.record.id)
    with contextlib.suppress(FileNotFoundError):
        _submission(store, run.record.id)
    for name in run.artifacts:
        store.refuse_links(name.partition("/")[0])


def submit(
    run: Candidate, store: Store, *, name: str | None, author: str | None, opens: DataSet | None
) -> dict[str, Any]:
    """Add a checked run to a store, where what is there already stays unchanged.

    Without an `author` it is the user who published the run, if somebody did. Returns what was
    added, and the name, author and date in the store, which may be older ones.
    """
    record, author = run.record, author or run.author
    if opens is not None:
        _add_note(store, opens)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    note = Submission(record=record.id, name=name, author=author, submitted=now)
    # Their names say what they hold: another file under one is somebody's mistake, or trick.
    replaced = [name for name, content in run.artifacts.items() if store.has_other(name, content)]
    added = [
        store.add(name, content, replace=name in replaced)
        for name, content in run.artifacts.items()
    ]
    num_new_verifications = sum(_add_note(store, found) for found in run.verifications)
    is_entered = _add_note(store, note)
    # The record comes last: whoever reads the store meanwhile finds it complete.
    is_new = store.add(f"{record.id}.json", run.raw)
    kept = note if is_entered else _submission(store, record.id)
    return {
        "id": record.id,
        "added": is_new,
        "entered": is_entered,
        "weights_added": any(added[1:]),
        "replaced": [store / name for name in replaced],
        "verifications_added": num_new_verifications,
        **kept.model_dump(include={"name", "author", "submitted"}),
    }


def _submission(store: Store, id: str) -> Submission:
    name = f"{id}.submission.json"
    note = Submission.parse(store.read(name, MAX_NOTE_BYTES), store / name)
    if note.record != id:
        raise ValueError(f"{store / name}: a note on another record")
    return note


def _add_note(store: Store, note: Note) -> bool:
    return store.add(note.file_name, note.to_json().encode())
