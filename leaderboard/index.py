"""Index of a store: summaries of its records, its attestations, and what in it is invalid.

Reading and checking a record takes about half a millisecond. A file of a store never changes, so
what was found in it is cached under its name, size and stamp.
"""

import contextlib
import functools
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaderboard import attestations, validate
from leaderboard.attestations import MAX_NOTE_BYTES, NOTES, DataSet, Submission, Verification
from leaderboard.store import Store
from speedrun.records import sanitize, schema, strict_json, summary
from speedrun.records.schema import MAX_RECORD_BYTES, Record, parse
from speedrun.records.summary import Summary, summarize
from speedrun.system.files import write_atomic

_PARALLEL_FROM = 1000  # files; below, starting processes costs more than they save
_KNOWN = Path(__file__).with_name("known_data.json")

Found = tuple[str, Any]  # kind and content as JSON has it, or ("problem", the line)


@dataclass(frozen=True)
class Index:
    """Content of a store; `problems` are lines that name a file and what is wrong with it."""

    runs: list[Summary] = field(default_factory=list)
    submissions: dict[str, Submission] = field(default_factory=dict)  # by record
    verifications: dict[str, list[Verification]] = field(default_factory=dict)
    data: list[DataSet] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read(store: Store, cache: Path | None) -> Index:
    """The index of a store; `cache` is a folder for what was read, or None."""
    names = store.names()
    cached = _Cache(store, cache)
    found = {name: cached.get(name, stamp) for name, stamp in names.items()}
    missing = [name for name, known in found.items() if known is None]
    for name, result in zip(missing, _examine_all(store, missing), strict=True):
        found[name] = result
        cached.put(name, names[name], result)
    cached.save(names)
    return _assemble(store, {name: result for name, result in found.items() if result is not None})


def fetch(store: Store, id: str, file_sha256: str = "") -> Record:
    """One record of a store, checked; raises ValueError or LookupError.

    A file that is byte for byte the one that was checked (its summary has the SHA-256) is not
    checked again: computing the content's hash is most of the cost of reading.
    """
    try:
        raw = store.read(f"{id}.json", MAX_RECORD_BYTES)
    except FileNotFoundError:
        raise LookupError(f"{store.url}: no record {id} there") from None
    if file_sha256 and hashlib.sha256(raw).hexdigest() == file_sha256:
        return Record.model_validate_json(raw)
    return _named(raw, store / f"{id}.json", id)


def known_data(store: Store) -> list[DataSet]:
    """The data sets that a store knows: those of the project, and those opened in it."""
    names = [name for name in store.names() if name.endswith(".data.json")]
    found = [_examine(store, name) for name in names]
    return _agreed([DataSet.model_validate(content) for kind, content in found if kind == "data"])[
        0
    ]


def _agreed(opened: Iterable[DataSet]) -> tuple[list[DataSet], list[DataSet]]:
    """The valid data sets, the project's first, and those that contradict others.

    Held-out documents have one size. Where two notes of a store name different ones nobody can
    tell which is right without the documents, so neither counts; the project's own always do.
    """
    own = [DataSet.model_validate(d) for d in json.loads(_KNOWN.read_text(encoding="utf-8"))]
    sizes: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    for note in opened:
        sizes[note.heldout].add(note.size)
    sizes.update({note.heldout: {note.size} for note in own})
    agreed, contradicted = own, []
    for note in opened:
        holds = sizes[note.heldout] == {note.size}
        (agreed if holds else contradicted).append(note)
    return agreed, contradicted


def _named(raw: bytes, where: str, id: str) -> Record:
    record = parse(raw, where)
    if record.id != id:
        raise ValueError(f"{where}: holds the record {record.id[:12]}…, not {id}")
    return record


def _examine_all(store: Store, names: Sequence[str]) -> Iterable[Found]:
    examine = functools.partial(_examine, store)
    if len(names) < _PARALLEL_FROM or not store.is_local:
        return map(examine, names)
    with ProcessPoolExecutor() as pool:
        return list(pool.map(examine, names, chunksize=64))


def _examine(store: Store, name: str) -> Found:
    where = store / name
    kind = name.split(".")[1]
    try:
        if kind == "json":
            raw = store.read(name, MAX_RECORD_BYTES)
            record = _named(raw, where, name.removesuffix(".json"))
            if problems := validate.problems(record):
                return "problem", f"{where}: {'; '.join(problems)}"
            digest = hashlib.sha256(raw).hexdigest()
            return "record", list(summarize(record)._replace(file_sha256=digest))
        note = NOTES[kind].parse(store.read(name, MAX_NOTE_BYTES), where)
        if name != note.file_name:
            return "problem", f"{where}: its name does not belong to its content"
        return kind, note.model_dump(mode="json", by_alias=True)
    except FileNotFoundError:
        return "problem", f"{where}: gone while it was read"
    except ValueError as error:
        return "problem", str(error)


def _assemble(store: Store, found: dict[str, Found]) -> Index:
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for name in sorted(found):
        kind, content = found[name]
        by_kind[kind].append(NOTES[kind].model_validate(content) if kind in NOTES else content)
    out = Index(problems=by_kind["problem"])
    out.submissions.update({note.record: note for note in by_kind["submission"]})
    for note in by_kind["verification"]:
        out.verifications.setdefault(note.record, []).append(note)
    agreed, contradicted = _agreed(by_kind["data"])
    out.data.extend(agreed)
    for note in contradicted:
        why = "contradicts what else is known of its held-out documents"
        out.problems.append(f"{store / note.file_name}: {why}")
    names = {(*data.heldout, *data.size): data.name for data in reversed(agreed)}
    for run in (Summary(*content) for content in by_kind["record"]):
        key = run.train_fingerprint, run.heldout_fingerprint, run.num_docs, run.num_bytes
        if key in names:
            # One data set has one name, whatever the folder was called that it was read from.
            out.runs.append(run._replace(data_name=names[key]))
        else:
            problems = validate.data_problems(run, out.data)
            out.problems.append(f"{store / run.id}.json: {'; '.join(problems)}")
    ids = {run.id for run in out.runs}
    for id in sorted({*out.submissions, *out.verifications} - ids):
        out.problems.append(f"{store / id}: a note on a record that is not there or not valid")
    return out


class _Cache:
    """Results of earlier reads of one store. Losing it costs time alone."""

    def __init__(self, store: Store, folder: Path | None) -> None:
        self._path: Path | None = None
        self._files: dict[str, list[Any]] = {}
        self._changed = False
        if folder is None:
            return
        # Other rules or another schema: everything is read again.
        digest = hashlib.sha256(store.address.encode())
        rules = (sanitize, strict_json, schema, summary, attestations, validate)
        for module in (*rules, sys.modules[__name__]):
            digest.update(Path(str(module.__file__)).read_bytes())
        self._path = folder / "leaderboard" / f"{digest.hexdigest()[:24]}.json"
        with contextlib.suppress(OSError, ValueError):
            files = json.loads(self._path.read_bytes())
            self._files = files if isinstance(files, dict) else {}

    def get(self, name: str, stamp: tuple[int, str]) -> Found | None:
        cached = self._files.get(name)
        if cached is None or not stamp[1] or (cached[0], cached[1]) != stamp:
            return None
        return cached[2], cached[3]

    def put(self, name: str, stamp: tuple[int, str], result: Found) -> None:
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
