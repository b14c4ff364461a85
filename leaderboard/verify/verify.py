"""What the command `verify` does: does a record hold, by its own weights?"""

import getpass
import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from leaderboard import index
from leaderboard.attestations import Leaks, Rerun, Rescored, Verification, one_line
from leaderboard.render import verification as report
from leaderboard.store import ID_PREFIX, Store, open_store
from leaderboard.verify import contamination, rerun, rescore
from speedrun import __version__
from speedrun.backends import registry
from speedrun.data import heldout as splits
from speedrun.data import open
from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source, SourceUnavailable
from speedrun.protocols import Architecture, Device
from speedrun.records import artifacts
from speedrun.records.files import RECORD
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record, load
from speedrun.system import git, hardware
from speedrun.system.paths import cache_dir
from speedrun.training import restore
from speedrun.training.prepare import Callbacks
from speedrun.ui import live

_MAX_DOCS = 1 << 17  # held-out documents; TinyStories has 21,990
_OUT = Path("runs")


@dataclass(frozen=True)
class Case:
    """A record to verify, and what of it is there."""

    record: Record
    where: str
    folder: Path | None  # of a run; None: the record is in the store
    store: Store
    files: tuple[bytes, bytes] | None  # weights, tokenizer


def verify_command(
    run: str,
    *,
    from_: str | None,
    data: str | None,
    by: str | None,
    backend: str,
    arch: str | None,
    rerun: bool,
    as_json: bool,
) -> None:
    """Verify a record, show and keep what was found; exit code 1 if it does not hold."""
    name = _name(by)
    case = find(run, from_, needs_files=not rerun)
    console = Console(stderr=as_json)
    warnings: list[str] = []
    with live.view(console) as view:
        note = verified(
            case, view, warnings, by=name, data=data, backend=backend, arch=arch, again=rerun
        )
    if as_json:
        print(json.dumps(note.model_dump(mode="json", by_alias=True)), flush=True)
    report.show(console, note, case.record, warnings)
    console.print(Text(f"saved as {_save(case, note)}"), soft_wrap=True)
    if not note.agrees:
        sys.exit(1)


def _name(by: str | None) -> str:
    try:
        return one_line(by if by is not None else getpass.getuser())
    except ValueError as error:
        raise ValueError(f"--by {sanitize(by or '')!r}: {error}") from None
    except (OSError, KeyError, ImportError):  # what getpass raises differs by version
        raise ValueError("--by NAME: this machine's user has no name; give yours") from None


def find(run: str, url: str | None, *, needs_files: bool) -> Case:
    """The run in a folder, or the record of this id in a store."""
    store = open_store(url)
    folder = Path(run)
    if folder.is_dir():
        if not (folder / RECORD).is_file():
            raise ValueError(f"{folder}: no {RECORD} there; give the folder of a finished run")
        record, where = load(folder / RECORD), str(folder)
    elif ID_PREFIX.fullmatch(run):
        folder = None
        record = index.fetch(store, _whole_id(store, run))
        where = store / record.id
    else:
        raise ValueError(
            f"{sanitize(run)!r}: no such folder and no id; give the folder of a finished run or"
            " at least four hex digits of the id of a record"
        )
    if record.score is None:
        raise ValueError(f"{where}: the run is {record.status} and has no score to verify")
    files = _files(record, folder, store)
    if files is None and needs_files:
        raise ValueError(
            f"{where}: there are no weights and tokenizer beside the record; ask its author for"
            " them (submit --with-weights), or race it again with --rerun, which needs none"
        )
    return Case(record, where, folder, store, files)


def _whole_id(store: Store, prefix: str) -> str:
    found = [name[:64] for name in store.names() if re.fullmatch(r"[0-9a-f]{64}\.json", name)]
    found = sorted(id for id in found if id.startswith(prefix))
    if len(found) != 1:
        what = "no record begins" if not found else f"{len(found)} records begin"
        raise LookupError(f"{store.url}: {what} with {prefix}; give more digits of its id")
    return found[0]


def _files(record: Record, folder: Path | None, store: Store) -> tuple[bytes, bytes] | None:
    """Weights and tokenizer, bounded; None where one of them is not there."""
    if folder is not None:
        if not all((folder / n).is_file() for n in (artifacts.WEIGHTS, artifacts.TOKENIZER)):
            return None
        return artifacts.read_weights(folder, record), artifacts.read_tokenizer(folder)
    wanted = (
        (artifacts.weights_name(record), artifacts.max_weights_bytes(record)),
        (artifacts.tokenizer_name(record), artifacts.MAX_TOKENIZER_BYTES),
    )
    sizes = [store.size(name) for name, _ in wanted]
    if None in sizes:
        return None
    for (name, limit), size in zip(wanted, sizes, strict=True):
        if (size or 0) > limit:
            raise ValueError(
                f"{store / name}: larger than it may be ({size} bytes, at most {limit})"
            )
    first, second = (
        store.read(name, size or 0) for (name, _), size in zip(wanted, sizes, strict=True)
    )
    return first, second


def verified(
    case: Case,
    watcher: Callbacks,
    warnings: list[str],
    *,
    by: str,
    data: str | None,
    backend: str,
    arch: str | None,
    again: bool,
) -> Verification:
    """Everything that can be found out about a record; `warnings` takes what could not."""
    record = case.record
    architecture = restore.architecture_of(record, arch, case.where)
    device = _device(record, architecture, backend)
    source, heldout = _open(record, data, watcher)
    rescored = leaked = raced = None
    if case.files is None:
        warnings.append("no weights are there: the record was only raced again")
    else:
        rescored, leaked = _from_weights(
            case, case.files, source, heldout, watcher, warnings, backend=device.name, arch=arch
        )
    if again:
        raced = _again(
            case, architecture, source, watcher, warnings, data=data, backend=device.name, arch=arch
        )
    commit, is_dirty = git.code_version(Path(__file__).resolve().parents[2])
    return Verification(
        record=record.id,
        by=by,
        verified=datetime.now(UTC).isoformat(timespec="seconds"),
        hardware_class=hardware.hardware_class(hardware.machine(), device.name, device.accelerator),
        versions=registry.versions(registry.backend(device.backend)),
        code=f"{commit}{'-dirty' if is_dirty else ''}" if commit else __version__,
        rescored=rescored,
        leaks=leaked,
        rerun=raced,
    )


def _device(record: Record, architecture: Architecture, backend: str) -> Device:
    """The one asked for; for `auto` the record's own, where it is here."""
    if backend == "auto":
        for one in registry.devices():
            is_same = (one.backend, one.name) == (record.backend, record.device)
            if is_same and one.available and one.backend in architecture.backends():
                return one
    return registry.device(backend, architecture)


def _open(record: Record, data: str | None, watcher: Callbacks) -> tuple[Source, HeldOut]:
    """The record's data, or other data with the same held-out documents."""
    assert record.score is not None
    if not 2 <= record.score.num_docs <= _MAX_DOCS:
        raise ValueError(
            f"the record has {record.score.num_docs} held-out documents: allowed are 2 to"
            f" {_MAX_DOCS}"
        )
    watcher.phase("opening the data")
    source: Source
    if data is None and record.data.source == "storybook":
        from speedrun.data.storybook.source import Storybook

        source = Storybook()
    else:
        source = open.open_source(data, watcher.notice)
    heldout = splits.pin(source, record.score.num_docs)
    if heldout.fingerprint != record.data.heldout_fingerprint:
        raise ValueError(
            f"{sanitize(source.name)}: its held-out documents are not those of the record"
            f" ({sanitize(record.data.name)}, {record.score.num_docs} documents);"
            " give its data with --data PATH"
        )
    return source, heldout


def _from_weights(
    case: Case,
    files: tuple[bytes, bytes],
    source: Source,
    heldout: HeldOut,
    watcher: Callbacks,
    warnings: list[str],
    *,
    backend: str,
    arch: str | None,
) -> tuple[Rescored, Leaks | None]:
    record = case.record
    watcher.phase("building the model")
    restored = restore.restored(record, *files, case.where, backend=backend, arch=arch)
    watcher.phase("scoring the held-out documents")
    rescored = rescore.rescored(restored, heldout, case.where, watcher.scoring)
    if source.train_fingerprint != record.data.train_fingerprint:
        warnings.append(
            "the training documents at hand are not those of the record (same held-out ones):"
            " they were not searched for held-out text"
        )
        return rescored, None
    watcher.phase("searching the training documents for held-out text")
    try:
        found = contamination.search(source, heldout, restored.tokenizer, record, watcher.scoring)
    except SourceUnavailable as error:  # the scores stand all the same
        warnings.append(f"the training documents were not searched to the end: {error}")
        return rescored, None
    return rescored, Leaks(
        num_documents=found.num_documents,
        num_equal=found.num_equal,
        num_near=found.num_near,
        agrees=contamination.agrees(found, record),
    )


def _again(
    case: Case,
    architecture: Architecture,
    source: Source,
    watcher: Callbacks,
    warnings: list[str],
    *,
    data: str | None,
    backend: str,
    arch: str | None,
) -> Rerun:
    record = case.record
    if source.train_fingerprint != record.data.train_fingerprint:
        raise ValueError(
            f"--rerun: {sanitize(source.name)} is not the data that the record was raced on"
            f" ({sanitize(record.data.name)}); give that with --data PATH"
        )
    finished = rerun.raced_again(
        record, architecture, case.where, watcher, data=data, backend=backend, arch=arch, out=_OUT
    )
    warnings.append(f"the race anew is in {finished.folder}")
    return rerun.compared(record, finished.record, index.read(case.store, cache_dir()).runs)


def _save(case: Case, note: Verification) -> str:
    """Beside the run, where `submit` finds it, or in the store."""
    content = note.to_json().encode()
    if case.folder is None:
        case.store.add(note.file_name, content)
        return case.store / note.file_name
    path = case.folder / f"verification-{note.digest()}.json"
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ValueError(
            f"{case.folder}: cannot write there ({error.strerror}), so nothing of this was saved;"
            " copy the run to a folder of yours"
        ) from None
    return str(path)
