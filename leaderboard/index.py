"""A store read as a whole: its rows and notes, and what in it cannot be taken.

Reading and checking a record costs about half a millisecond. A file of a store never changes, so
what was found in it is kept in the cache under its name, size and stamp.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from leaderboard import attestations, validate
from leaderboard.attestations import MAX_NOTE_BYTES, DataSet, Submission, Verification, parse_note
from leaderboard.store import Store
from speedrun.records import sanitize, schema
from speedrun.records import summary as rows
from speedrun.records.schema import MAX_RECORD_BYTES, Record, parse
from speedrun.records.summary import Summary, summarize
from speedrun.system.files import write_atomic

_PARALLEL_FROM = 1000  # files; below, starting processes costs more than they save
_KNOWN = Path(__file__).with_name("known_data.json")

Found: TypeAlias = list[Any] | str  # a row's values, a note's text, or why neither


@dataclass(frozen=True)
class Index:
    """What a store holds. `problems` are lines that name a file and what is wrong with it."""

    runs: list[Summary] = field(default_factory=list)
    submissions: dict[str, Submission] = field(default_factory=dict)
    verifications: dict[str, list[Verification]] = field(default_factory=dict)
    data: list[DataSet] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def known_data(store: Store) -> list[DataSet]:
    """The data sets that a store knows: those of the project, and those opened in it."""
    names = [name for name in store.names() if name.endswith(".data.json")]
    found = (_examine_one(store, name) for name in names)
    opened = [DataSet.model_validate(content) for kind, content in found if kind == "data"]
    return _agreed(opened)[0]


def _own_data() -> list[DataSet]:
    return [DataSet.model_validate(d) for d in json.loads(_KNOWN.read_text(encoding="utf-8"))]


def _agreed(opened: Iterable[DataSet]) -> tuple[list[DataSet], list[DataSet]]:
    """The data sets that hold, the project's first, and those that contradict others.

    Held-out documents have one size. Where two notes of a store name different ones nobody can
    tell which is right without the documents, so neither counts; the project's own always do.
    """
    own = _own_data()
    sizes: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    for note in opened:
        sizes[note.heldout].add(note.size)
    sizes.update({note.heldout: {note.size} for note in own})
    agreed, contradicted = own, []
    for note in opened:
        holds = sizes[note.heldout] == {note.size}
        (agreed if holds else contradicted).append(note)
    return agreed, contradicted


def read(store: Store, cache: Path | None) -> Index:
    """Everything in a store; `cache` is a folder that what was read is kept in, or None."""
    names = store.names()
    kept = _Kept(store, cache)
    found: dict[str, tuple[str, Any]] = {}
    missing = []
    for name, stamp in names.items():
        if (known := kept.get(name, stamp)) is not None:
            found[name] = known
        else:
            missing.append(name)
    for name, result in _examined(store, missing):
        found[name] = result
        kept.put(name, names[name], result)
    kept.save(names)
    return _sorted_out(store, found)


def fetch(store: Store, id: str, file_sha256: str = "") -> Record:
    """One record of a store, checked; raises ValueError or LookupError.

    A file that is byte for byte the one that was checked (its row has the SHA-256) is not checked
    again: working the content's hash out anew is most of the cost of reading.
    """
    try:
        raw = store.read(f"{id}.json", MAX_RECORD_BYTES)
    except FileNotFoundError:
        raise LookupError(f"{store.url}: no record {id} there") from None
    if file_sha256 and hashlib.sha256(raw).hexdigest() == file_sha256:
        return Record.model_validate_json(raw)
    return _named(parse(raw, store / f"{id}.json"), id, store)


def _named(found: Record, id: str, store: Store) -> Record:
    if found.id != id:
        raise ValueError(f"{store / f'{id}.json'}: holds the record {found.id[:12]}…, not {id}")
    return found


def _examined(store: Store, names: Sequence[str]) -> Iterable[tuple[str, tuple[str, Any]]]:
    if len(names) < _PARALLEL_FROM or not store.is_local:
        return zip(names, _examine(store, names), strict=True)
    num_workers = min(8, os.cpu_count() or 1)
    shares = [names[k :: 4 * num_workers] for k in range(4 * num_workers)]
    with ProcessPoolExecutor(num_workers) as pool:
        done = pool.map(_examine, [store] * len(shares), shares)
        return [
            pair
            for share, results in zip(shares, done, strict=True)
            for pair in zip(share, results, strict=True)
        ]


def _examine(store: Store, names: Sequence[str]) -> list[tuple[str, Any]]:
    return [_examine_one(store, name) for name in names]


def _examine_one(store: Store, name: str) -> tuple[str, Any]:
    """(what it is, its content as JSON has it), or ("problem", the line)."""
    where = store / name
    kind = name.split(".")[1]
    try:
        if kind == "json":
            raw = store.read(name, MAX_RECORD_BYTES)
            found = _named(parse(raw, where), name[:-5], store)
            if problems := validate.problems(found):
                return "problem", f"{where}: {'; '.join(problems)}"
            return "record", list(
                summarize(found)._replace(file_sha256=hashlib.sha256(raw).hexdigest())
            )
        raw = store.read(name, MAX_NOTE_BYTES)
        note = parse_note(_NOTES[kind], raw, where)
        if name != note_name(note):
            return "problem", f"{where}: its name does not belong to its content"
        return kind, note.model_dump(mode="json", by_alias=True)
    except FileNotFoundError:
        return "problem", f"{where}: gone while it was read"
    except ValueError as error:
        return "problem", str(error)


_NOTES: dict[str, type[attestations.Note]] = {
    "submission": Submission,
    "verification": Verification,
    "data": DataSet,
}


def note_name(note: attestations.Note) -> str:
    """The file that a note has in a store."""
    if isinstance(note, Submission):
        return f"{note.record}.submission.json"
    if isinstance(note, Verification):
        return f"{note.record}.verification.{note.digest()}.json"
    return f"{note.digest()}.data.json"


def _sorted_out(store: Store, found: dict[str, tuple[str, Any]]) -> Index:
    out = Index()
    opened: list[DataSet] = []
    verifications: dict[str, list[Verification]] = defaultdict(list)
    candidates: list[Summary] = []
    for name in sorted(found):
        kind, content = found[name]
        if kind == "problem":
            out.problems.append(content)
        elif kind == "record":
            candidates.append(Summary(*content))
        elif kind == "submission":
            note = Submission.model_validate(content)
            out.submissions[note.record] = note
        elif kind == "verification":
            verification = Verification.model_validate(content)
            verifications[verification.record].append(verification)
        else:
            opened.append(DataSet.model_validate(content))
    out.verifications.update(verifications)
    agreed, contradicted = _agreed(opened)
    out.data.extend(agreed)
    for note in contradicted:
        why = "contradicts what else is known of its held-out documents"
        out.problems.append(f"{store / note_name(note)}: {why}")
    names = {(*d.heldout, *d.size): d.name for d in reversed(agreed)}
    for candidate in candidates:
        facts = candidate.train_fingerprint, candidate.heldout_fingerprint
        name = names.get((*facts, candidate.num_docs, candidate.num_bytes))
        if name is not None:
            # One data set has one name, whatever the folder was called that it was read from.
            out.runs.append(candidate._replace(data_name=name))
        else:
            problems = validate.data_problems(candidate, out.data)
            out.problems.append(f"{store / candidate.id}.json: {'; '.join(problems)}")
    ids = {found_row.id for found_row in out.runs}
    for noted in sorted({*out.submissions, *verifications} - ids):
        out.problems.append(f"{store / noted}: a note on a record that is not there or not taken")
    return out


class _Kept:
    """What was found in the files of one store, between runs. Losing it costs time alone."""

    def __init__(self, store: Store, cache: Path | None) -> None:
        self._path: Path | None = None
        self._files: dict[str, list[Any]] = {}
        self._changed = False
        if cache is None or not store.is_lasting:
            return
        # Other rules or another schema: everything is read again.
        digest = hashlib.sha256(store.address.encode())
        for module in (sanitize, schema, attestations, validate, rows, sys.modules[__name__]):
            digest.update(Path(str(module.__file__)).read_bytes())
        self._path = cache / "leaderboard" / f"{digest.hexdigest()[:24]}.json"
        with contextlib.suppress(OSError, ValueError):
            files = json.loads(self._path.read_bytes())
            self._files = files if isinstance(files, dict) else {}

    def get(self, name: str, stamp: tuple[int, str]) -> tuple[str, Any] | None:
        kept = self._files.get(name)
        if kept is None or not stamp[1] or (kept[0], kept[1]) != stamp:
            return None
        return kept[2], kept[3]

    def put(self, name: str, stamp: tuple[int, str], result: tuple[str, Any]) -> None:
        if result[0] != "problem":
            self._files[name] = [*stamp, *result]
            self._changed = True

    def save(self, names: Iterable[str]) -> None:
        gone = self._files.keys() - set(names)
        if self._path is None or not (self._changed or gone):
            return
        for name in gone:
            del self._files[name]
        with contextlib.suppress(OSError):
            write_atomic(self._path, json.dumps(self._files))
