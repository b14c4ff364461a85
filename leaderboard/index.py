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
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leaderboard import attestations, data_sets
from leaderboard.attestations import MAX_NOTE_BYTES, NOTES, DataSet, Submission, Verification
from leaderboard.checks import energy, learning, machine, model, notes, origin, validate
from leaderboard.standing import duels
from leaderboard.store import ID_PREFIX, Store
from speedrun.records import duel as duel_file
from speedrun.records import host, sanitize, schema, sections, strict_json, summary
from speedrun.records.duel import MAX_DUEL_BYTES, SIDES, Duel, parse_duel
from speedrun.records.files import RECORD
from speedrun.records.schema import MAX_RECORD_BYTES, Record, parse
from speedrun.records.summary import Summary, summarize
from speedrun.system.files import write_atomic
from speedrun.training.runs.fetch import folder_of

_MAX_LISTED = 3  # problems of a duel
_PARALLEL_FROM = 1000  # files; below, starting processes costs more than they save

Found = tuple[str, Any]  # kind and content as JSON has it, or ("problem", the line)


@dataclass(frozen=True)
class Index:
    """Content of a store; `problems` are lines that name a file and what is wrong with it."""

    runs: list[Summary] = field(default_factory=list)
    submissions: dict[str, Submission] = field(default_factory=dict)  # by record
    verifications: dict[str, list[Verification]] = field(default_factory=dict)
    data: list[DataSet] = field(default_factory=list)
    duels: list[Duel] = field(default_factory=list)  # those that hold
    problems: list[str] = field(default_factory=list)


def read(store: Store, cache: Path | None) -> Index:
    """The index of a store; `cache` is a folder for what was read, or None."""
    names = store.names()
    file = cache and _cache_file(store, cache)
    old = _cached(file)
    known = {n: old[n] for n, stamp in names.items() if stamp[1] and old.get(n, ())[:2] == [*stamp]}
    missing = [name for name in names if name not in known]
    fresh = {
        name: [*names[name], *result]
        for name, result in zip(missing, _examine_all(store, missing), strict=True)
    }
    valid = known | {name: result for name, result in fresh.items() if result[2] != "problem"}
    if file and valid != old:
        with contextlib.suppress(OSError):
            write_atomic(file, json.dumps(valid))
    return _assemble(store, {name: found[2:] for name, found in (known | fresh).items()})


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


def local_run(text: str) -> tuple[Path, Record] | None:
    """Folder and record of the run that a person named; None where it is the start of an id.

    One at hf://… is fetched. Raises ValueError where it is none of these.
    """
    folder = folder_of(text)
    if folder.is_dir():
        if not (folder / RECORD).is_file():
            raise ValueError(f"{text}: no {RECORD} in it; give the folder of a finished run")
        return folder, schema.load(folder / RECORD)
    if not ID_PREFIX.fullmatch(text):
        raise ValueError(
            f"{sanitize.sanitize(text)!r} is neither a folder nor an id; give the folder of a"
            " finished run, hf://user/name of a published one, or at least four hex digits of an id"
            " that `leaderboard` shows"
        )
    return None


def known_data(store: Store) -> list[DataSet]:
    """The data sets that a store knows: those of the project, and those opened in it."""
    found = [_examine(store, name) for name in store.names() if name.endswith(".data.json")]
    opened = [DataSet.model_validate(content) for kind, content in found if kind == "data"]
    return data_sets.agreed(opened)[0]


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
            if problems := validate.problems(record, must_rank=False):
                return "problem", f"{where}: {'; '.join(problems)}"
            run = summarize(record)._replace(file_sha256=hashlib.sha256(raw).hexdigest())
            return "record" if run.unranked_because is None else "unranked", list(run)
        if kind == "duel":
            return _examine_duel(store, name)
        note = NOTES[kind].parse(store.read(name, MAX_NOTE_BYTES), where)
        if name != note.file_name:
            return "problem", f"{where}: its name does not belong to its content"
        return kind, note.content()
    except FileNotFoundError:
        return "problem", f"{where}: gone while it was read"
    except ValueError as error:
        return "problem", str(error)


def _examine_duel(store: Store, name: str) -> Found:
    """A duel, checked against its records, which are named by their content and so stay."""
    where = store / name
    duel = parse_duel(store.read(name, MAX_DUEL_BYTES), where)
    if name != duel_name(duel):
        return "problem", f"{where}: its name does not belong to its content"
    records = {}
    for id in duel.records:
        with contextlib.suppress(LookupError):
            records[id] = fetch(store, id)
    if problems := duels.problems(duel, records):
        return "problem", f"{where}: not a duel that holds: {_first(problems)}"
    return "duel", duel.content()


def stored_duels(store: Store) -> list[Duel]:
    """The duels of a store that are intact, whether or not they hold."""
    found = []
    for name in store.names():
        if name.endswith(".duel.json"):
            with contextlib.suppress(ValueError, FileNotFoundError):
                found.append(parse_duel(store.read(name, MAX_DUEL_BYTES), store / name))
    return found


def duel_name(duel: Duel) -> str:
    """The name of a duel's file in a store."""
    return f"{duel.id}.duel.json"


def _first(problems: Sequence[str]) -> str:
    """The first few of a long list."""
    more = len(problems) - _MAX_LISTED
    return "; ".join([*problems[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])


def _assemble(store: Store, found: dict[str, list[Any]]) -> Index:
    by_kind: dict[str, list[Any]] = defaultdict(list)
    for name in sorted(found):
        kind, content = found[name]
        by_kind[kind].append(NOTES[kind].model_validate(content) if kind in NOTES else content)
    agreed, contradicted = data_sets.agreed(by_kind["data"])
    submissions = {note.record: note for note in by_kind["submission"]}
    out = Index(submissions=submissions, data=agreed, problems=by_kind["problem"])
    for note in contradicted:
        why = "contradicts what else is known of its held-out documents, or of their title"
        out.problems.append(f"{store / note.file_name}: {why}")
    names = {(*data.heldout, *data.size): data.name for data in reversed(agreed)}
    for run in (*_disturbed(store, by_kind, out), *map(Summary._make, by_kind["record"])):
        key = run.train_fingerprint, run.heldout_fingerprint, run.num_docs, run.num_bytes
        if key in names:
            # One data set has one name, whatever the folder was called that it was read from.
            out.runs.append(run._replace(data_name=names[key]))
        else:
            problems = "; ".join(validate.data_problems(run, agreed))
            out.problems.append(f"{store / run.id}.json: {problems}")
    runs = {run.id: run for run in out.runs}
    for note in by_kind["verification"]:
        if (run := runs.get(note.record)) and (wrong := notes.problems(note, run)):
            out.problems.append(f"{store / note.file_name}: {'; '.join(wrong)}")
        else:
            out.verifications.setdefault(note.record, []).append(note)
    out.duels.extend(_sound(store, by_kind["duel"], out))
    for id in sorted({*submissions, *out.verifications} - runs.keys()):
        out.problems.append(f"{store / id}: a note on a record that is not there or not valid")
    return out


def _disturbed(store: Store, by_kind: dict[str, list[Any]], found: Index) -> Iterator[Summary]:
    """Runs that do not rank: they are there for a duel whose pair they disturbed, or a problem."""
    pairs = [pair for duel in by_kind["duel"] for pair in duel["pairs"] if pair["disturbed"]]
    wanted = {pair[side] for pair in pairs for side in SIDES}
    for run in map(Summary._make, by_kind["unranked"]):
        if run.id in wanted:
            yield run
        else:
            why = f"it does not rank: {run.unranked_because}"
            found.problems.append(f"{store / run.id}.json: {why}")


def _sound(store: Store, contents: Iterable[Any], found: Index) -> Iterator[Duel]:
    """Duels whose runs are all valid, and of no other duel; problems go to the index."""
    given = [Duel.model_validate(content) for content in contents]
    valid = {run.id for run in found.runs}
    whole = [duel for duel in given if valid.issuperset(duel.records)]
    taken = duels.used_twice(whole)
    for duel in given:
        if duel.id in taken:
            why = f"runs of it are those of the duel {taken[duel.id][:12]}"
        elif not valid.issuperset(duel.records):
            why = "runs of it are not valid"
        else:
            yield duel
            continue
        found.problems.append(f"{store / duel_name(duel)}: {why}")


def _cache_file(store: Store, folder: Path) -> Path:
    """Another one for other rules or another schema: everything is then read again."""
    digest = hashlib.sha256(store.address.encode())
    checks = (validate, model, machine, learning, origin, energy, duel_file, duels)
    rules = (
        sanitize,
        strict_json,
        schema,
        sections,
        host,
        summary,
        attestations,
        data_sets,
        *checks,
    )
    for module in (*rules, sys.modules[__name__]):
        digest.update(Path(str(module.__file__)).read_bytes())
    return folder / "leaderboard" / f"{digest.hexdigest()[:24]}.json"


def _cached(file: Path | None) -> dict[str, list[Any]]:
    """Size, stamp, kind and content of files by name; losing them costs time alone."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_bytes()) if file else {}
        return found if isinstance(found, dict) else {}
    return {}
