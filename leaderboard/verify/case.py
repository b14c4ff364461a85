"""Record to verify with the files beside it, found in a run's folder or in a store."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from leaderboard import index
from leaderboard.attestations import Verification
from leaderboard.standing.boards import boards
from leaderboard.store import Store
from speedrun.records import artifacts
from speedrun.records.schema import Record
from speedrun.records.summary import to_be_scored
from speedrun.system.paths import cache_dir
from speedrun.training.options import FLAG, TEXT_FIELD

if TYPE_CHECKING:
    from speedrun.training.runs.restore import Restored

_MAX_LISTED = 5  # ids that begin alike


@dataclass(frozen=True, kw_only=True)
class Request:
    """Options of a verification.

    Parameters
    ----------
    data
        The data of the run, as for a race. Default: where a run's folder says that they were, else
        the hub, or the storybook for a run on it.
    device
        Device that scores the documents: auto, cuda, mlx, mps, cpu or numpy.
    arch
        Folder of the architecture, for a run that was raced with --arch ./folder.
    rerun
        Also race the record's config and seed again and compare the scores.
    """

    data: str | None = None
    text_field: Annotated[str | None, TEXT_FIELD] = None
    device: Annotated[str, Parameter(alias="--backend")] = "auto"
    arch: str | None = None
    rerun: Annotated[bool, FLAG] = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """Record to verify; `where` names it in messages."""

    record: Record
    where: str
    store: Store
    folder: Path | None  # of a run; None: the record is in the store
    files: tuple[bytes, bytes] | None  # weights and tokenizer; None: not there
    lacks: str = "no weights and tokenizer beside the record"  # said where there are none


def find(run: str, store: Store) -> Case:
    """Case of a run's folder, hf://user/name, or an id's first digits.

    Raises ValueError or LookupError.
    """
    if (local := index.local_run(run)) is not None:
        (folder, record), where = local, run
    else:
        record = index.fetch(store, full_id(store, run))
        folder, where = None, store / record.id
    if record.score is None:
        status = to_be_scored(run) if record.status == "trained" else record.status
        raise ValueError(f"{where}: there is no score to verify; the run is {status}")
    files, lacks = None, Case.lacks
    if folder is None:
        try:
            weights = _read(
                store, artifacts.weights_name(record), artifacts.max_weights_bytes(record)
            )
            tokenizer = _read(
                store, artifacts.tokenizer_name(record), artifacts.MAX_TOKENIZER_BYTES
            )
            files = weights, tokenizer
        except FileNotFoundError:
            pass
        except ValueError as error:  # whoever put it there must not keep others from a rerun
            lacks = str(error)
    elif all((folder / name).is_file() for name in (artifacts.WEIGHTS, artifacts.TOKENIZER)):
        files = artifacts.read_weights(folder, record), artifacts.read_tokenizer(folder, record)
    return Case(record=record, where=where, store=store, folder=folder, files=files, lacks=lacks)


def restored(run: str, store: Store, device: str, arch: str | None) -> "Restored":
    """The model of a record or of an entry's best run. Raises ValueError or LookupError."""
    from speedrun.training.runs import restore

    case = find(run, store)
    if case.files is None:
        raise ValueError(
            f"{case.where}: {case.lacks}; ask its author for them (submit --with-weights), or give"
            " the folder of a run"
        )
    return restore.restore(case.record, *case.files, case.where, backend=device, arch=arch)


def full_id(store: Store, prefix: str) -> str:
    """The id of the one record, or of the best run of the one entry, that begins with these."""
    ids = [name[:64] for name in store.names() if re.fullmatch(r"[0-9a-f]{64}\.json", name)]
    found = [id for id in ids if id.startswith(prefix)]
    if not found:
        stored = index.read(store, cache_dir())
        ranked = boards(stored.runs, stored.submissions, stored.verifications, stored.duels)
        entries = [e for board in ranked for e in board.entries if e.id.startswith(prefix)]
        if len(entries) == 1:
            return min(entries[0].runs, key=lambda run: run.bits_per_byte).id
        if not entries:
            raise LookupError(
                f"{store.url}: no record and no entry begins with {prefix}; `leaderboard` shows"
                " the ids of entries"
            )
        found = [entry.id for entry in entries]
    if len(found) > 1:
        listed = ", ".join(id[: len(prefix) + 4] for id in sorted(found)[:_MAX_LISTED])
        raise LookupError(
            f"{store.url}: {len(found)} ids begin with {prefix} ({listed}); give more digits"
        )
    return found[0]


def _read(store: Store, name: str, limit: int) -> bytes:
    """Content of a file that is no larger than it may be; the limit alone may exceed memory.

    Raises FileNotFoundError, and ValueError for another file than its name says.
    """
    if (size := store.size(name)) is None:
        raise FileNotFoundError(name)
    if size > limit:
        raise ValueError(f"{store / name}: too large ({size} bytes; at most {limit} allowed)")
    raw = store.read(name, size)
    if hashlib.sha256(raw).hexdigest() != Path(name).stem:
        raise ValueError(f"{store / name}: another file than its name says")
    return raw


def save(case: Case, note: Verification) -> str:
    """Write a verification beside its run, where `submit` finds it, or into the store."""
    content = note.to_json().encode()
    if case.folder is None:
        case.store.add(note.file_name, content)
        return case.store / note.file_name
    path = case.folder / f"verification-{note.digest()}.json"
    try:
        path.write_bytes(content)
    except OSError as error:
        why = f"cannot write the verification ({error.strerror})"
        raise ValueError(f"{case.folder}: {why}; copy the run to a folder of yours") from None
    return str(path)
