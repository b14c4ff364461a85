"""A finished run becomes a record of a leaderboard: checked first, then added, never changed."""

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
    parse_note,
)
from leaderboard.index import note_name
from leaderboard.store import Store
from speedrun.records.artifacts import read_tokenizer, read_weights, tokenizer_name, weights_name
from speedrun.records.files import RECORD
from speedrun.records.sanitize import brief
from speedrun.records.schema import MAX_RECORD_BYTES, Record, parse
from speedrun.records.summary import summarize

VERIFICATION = "verification-*.json"


@dataclass(frozen=True)
class Candidate:
    """A run that may be submitted, read and checked."""

    folder: Path
    record: Record
    raw: bytes
    weights: bytes | None  # None: not asked for
    tokenizer: bytes | None
    verifications: list[Verification]


@dataclass(frozen=True)
class Submitted:
    """What became of a run. `note` is what the store says about who entered it."""

    record: Record
    is_new: bool
    has_new_weights: bool
    num_new_verifications: int
    is_entered: bool  # the note is new
    note: Submission


def candidate(run: Path, *, with_weights: bool = False) -> Candidate:
    """A run's folder, or its record's file, read and checked; raises ValueError with all
    that speaks against it."""
    file = run / RECORD if run.is_dir() else run
    if not file.is_file():
        raise ValueError(f"{run}: no {RECORD} there; give the folder of a finished run")
    raw = _read(file, MAX_RECORD_BYTES)
    found = parse(raw, str(file))  # these very bytes are added, whatever the file becomes
    if problems := validate.problems(found):
        raise ValueError(f"{run}: not accepted: {'; '.join(problems)}")
    weights = tokenizer = None
    if with_weights:
        weights, tokenizer = read_weights(file.parent, found), read_tokenizer(file.parent)
    noted = [
        parse_note(Verification, _read(path, MAX_NOTE_BYTES), str(path))
        for path in sorted(file.parent.glob(VERIFICATION))
    ]
    ours = [note for note in noted if note.record == found.id]
    return Candidate(file.parent, found, raw, weights, tokenizer, ours)


def _read(path: Path, limit: int) -> bytes:
    """At most one byte more than `limit`: enough to see that a file is too large."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None


def opened_data(found: Candidate, known: Sequence[DataSet], *, new_data: bool) -> DataSet | None:
    """The data set that this run would be the first of, None where the store knows it.

    Raises ValueError for data that the store does not know, unless `new_data` is asked for.
    """
    problems = validate.data_problems(summarize(found.record), known)
    if not problems:
        return None
    opened = _data_set(found)
    wrong_size = opened.heldout in {data.heldout for data in known}
    if new_data and not wrong_size:
        return opened
    hint = "" if wrong_size else "; --new-data opens a track for it"
    raise ValueError(f"{found.folder}: not accepted: {'; '.join(problems)}{hint}")


def check_store(found: Candidate, store: Store) -> None:
    """Raise ValueError where what the store has of this run is not as it was added.

    Asked for every run before the first is added, so that a refusal leaves the store untouched.
    """
    id = found.record.id
    with contextlib.suppress(LookupError):
        index.fetch(store, id)
    with contextlib.suppress(FileNotFoundError):
        _submission(store, id)
    if found.weights is not None:
        store.refuse_links("weights")
        store.refuse_links("tokenizers")


def _submission(store: Store, id: str) -> Submission:
    name = f"{id}.submission.json"
    note = parse_note(Submission, store.read(name, MAX_NOTE_BYTES), store / name)
    if note.record != id:
        raise ValueError(f"{store / name}: a note on another record")
    return note


def submit(
    found: Candidate, store: Store, *, name: str | None, author: str | None, opens: DataSet | None
) -> Submitted:
    """Add a checked run to a store; what is there already stays as it is."""
    record = found.record
    if opens is not None:
        _add_note(store, opens)
    has_new_weights = _add_weights(found, store)
    num_verifications = sum(_add_note(store, verification) for verification in found.verifications)
    note = Submission(
        record=record.id,
        name=name,
        author=author,
        submitted=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    is_noted = not _add_note(store, note)
    # The record comes last: whoever reads the store meanwhile finds it with all its company.
    is_new = store.add(f"{record.id}.json", found.raw)
    if is_noted:
        note = _submission(store, record.id)
    return Submitted(
        record, is_new, has_new_weights, num_verifications, is_entered=not is_noted, note=note
    )


def _data_set(found: Candidate) -> DataSet:
    record = found.record
    try:
        one_line(record.data.name)
    except ValueError as error:
        name = brief(record.data.name)
        raise ValueError(f"{found.folder}: its data is called {name}: {error}") from None
    assert record.score is not None  # it was accepted
    return DataSet(
        name=record.data.name,
        train_fingerprint=record.data.train_fingerprint,
        heldout_fingerprint=record.data.heldout_fingerprint,
        num_docs=record.score.num_docs,
        num_bytes=record.score.num_bytes,
    )


def _add_note(store: Store, note: Note) -> bool:
    return store.add(note_name(note), note.to_json().encode())


def _add_weights(found: Candidate, store: Store) -> bool:
    if found.weights is None or found.tokenizer is None:
        return False
    record = found.record
    store.add(tokenizer_name(record), found.tokenizer)
    return store.add(weights_name(record), found.weights)


def plain(submitted: Submitted) -> dict[str, Any]:
    """What became of a run, for --json."""
    return {
        "id": submitted.record.id,
        "added": submitted.is_new,
        "entered": submitted.is_entered,
        "weights_added": submitted.has_new_weights,
        "verifications_added": submitted.num_new_verifications,
        "name": submitted.note.name,
        "author": submitted.note.author,
        "submitted": submitted.note.submitted,
    }
