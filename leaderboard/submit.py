"""Submission of a finished run: checked first, then added to a leaderboard, never changed."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leaderboard import index, validate
from leaderboard.attestations import (
    MAX_NOTE_BYTES,
    DataSet,
    Note,
    Submission,
    Verification,
    one_line,
)
from leaderboard.store import Store
from speedrun.records.artifacts import read_tokenizer, read_weights, tokenizer_name, weights_name
from speedrun.records.files import RECORD
from speedrun.records.sanitize import brief
from speedrun.records.schema import MAX_RECORD_BYTES, Record, parse
from speedrun.records.summary import summarize

VERIFICATION = "verification-*.json"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A run that may be submitted, read and checked."""

    folder: Path
    record: Record
    raw: bytes  # the record's file
    weights: bytes | None  # None: not asked for
    tokenizer: bytes | None
    verifications: list[Verification]


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """The result of a submission; `note` is the one in the store, which may be an older one."""

    record: Record
    note: Submission
    is_new: bool
    has_new_weights: bool
    num_new_verifications: int
    is_entered: bool  # the note is new

    def as_dict(self) -> dict[str, Any]:
        """Plain values for --json."""
        return {
            "id": self.record.id,
            "added": self.is_new,
            "entered": self.is_entered,
            "weights_added": self.has_new_weights,
            "verifications_added": self.num_new_verifications,
            "name": self.note.name,
            "author": self.note.author,
            "submitted": self.note.submitted,
        }


def candidate(run: Path, *, with_weights: bool = False) -> Candidate:
    """A run's folder, or its record's file, read and checked; ValueError with all its problems."""
    file = run / RECORD if run.is_dir() else run
    if not file.is_file():
        raise ValueError(f"{run}: no {RECORD} there; give the folder of a finished run")
    raw = _read(file, MAX_RECORD_BYTES)
    record = parse(raw, str(file))  # these very bytes are added, whatever the file becomes
    if problems := validate.problems(record):
        raise ValueError(f"{run}: not accepted: {'; '.join(problems)}")
    notes = [
        Verification.parse(_read(path, MAX_NOTE_BYTES), str(path))
        for path in sorted(file.parent.glob(VERIFICATION))
    ]
    return Candidate(
        folder=file.parent,
        record=record,
        raw=raw,
        weights=read_weights(file.parent, record) if with_weights else None,
        tokenizer=read_tokenizer(file.parent) if with_weights else None,
        verifications=[note for note in notes if note.record == record.id],
    )


def _read(path: Path, limit: int) -> bytes:
    """At most one byte more than `limit`: enough to see that a file is too large."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None


def opened_data(run: Candidate, known: Sequence[DataSet], *, new_data: bool) -> DataSet | None:
    """The data set that this run would be the first of, None where the store knows it.

    Raises ValueError for data that the store does not know, unless `new_data` is set.
    """
    problems = validate.data_problems(summarize(run.record), known)
    if not problems:
        return None
    opened = _data_set(run)
    is_contradicted = opened.heldout in {data.heldout for data in known}
    if new_data and not is_contradicted:
        return opened
    hint = "" if is_contradicted else "; --new-data opens a track for it"
    raise ValueError(f"{run.folder}: not accepted: {'; '.join(problems)}{hint}")


def _data_set(run: Candidate) -> DataSet:
    data, score = run.record.data, run.record.score
    try:
        one_line(data.name)
    except ValueError as error:
        raise ValueError(f"{run.folder}: its data is called {brief(data.name)}: {error}") from None
    assert score is not None  # it was accepted
    return DataSet(
        name=data.name,
        train_fingerprint=data.train_fingerprint,
        heldout_fingerprint=data.heldout_fingerprint,
        num_docs=score.num_docs,
        num_bytes=score.num_bytes,
    )


def check_store(run: Candidate, store: Store) -> None:
    """Raise ValueError where what the store has of this run was changed.

    Called for every run before the first is added, so that a refusal leaves the store untouched.
    """
    with contextlib.suppress(LookupError):
        index.fetch(store, run.record.id)
    with contextlib.suppress(FileNotFoundError):
        _submission(store, run.record.id)
    if run.weights is not None:
        store.refuse_links("weights")
        store.refuse_links("tokenizers")


def submit(
    run: Candidate, store: Store, *, name: str | None, author: str | None, opens: DataSet | None
) -> Submitted:
    """Add a checked run to a store; what is there already stays unchanged."""
    record = run.record
    if opens is not None:
        _add_note(store, opens)
    note = Submission(
        record=record.id,
        name=name,
        author=author,
        submitted=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    has_new_weights = _add_weights(run, store)
    num_new_verifications = sum(_add_note(store, found) for found in run.verifications)
    is_entered = _add_note(store, note)
    # The record comes last: whoever reads the store meanwhile finds it complete.
    is_new = store.add(f"{record.id}.json", run.raw)
    return Submitted(
        record=record,
        note=note if is_entered else _submission(store, record.id),
        is_new=is_new,
        has_new_weights=has_new_weights,
        num_new_verifications=num_new_verifications,
        is_entered=is_entered,
    )


def _submission(store: Store, id: str) -> Submission:
    name = f"{id}.submission.json"
    note = Submission.parse(store.read(name, MAX_NOTE_BYTES), store / name)
    if note.record != id:
        raise ValueError(f"{store / name}: a note on another record")
    return note


def _add_note(store: Store, note: Note) -> bool:
    return store.add(note.file_name, note.to_json().encode())


def _add_weights(run: Candidate, store: Store) -> bool:
    if run.weights is None or run.tokenizer is None:
        return False
    store.add(tokenizer_name(run.record), run.tokenizer)
    return store.add(weights_name(run.record), run.weights)
