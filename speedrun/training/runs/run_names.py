"""Names of runs: claimed under a lock, and settled where their race was killed.

`<out>/.<name>.partial/` is filled while a race is under way and renamed to `<out>/<name>/` once
training is over. `<out>/.<name>.racing` is locked from the first moment to the last: it keeps the
name, and tells other races in the same folder, on this machine or another, that this one lives.
"""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from speedrun.records import artifacts, schema
from speedrun.records.files import CHECKPOINT, RECORD, WEIGHTS
from speedrun.system import locks
from speedrun.system.files import PARTIAL as WRITING

RESERVE = "reserve"  # room for weights and record
_PARTIAL, _RACING = ".partial", ".racing"
_MAX_NAMES = 1000  # runs of one second, architecture, size and seed
_OLD_S = 24 * 3600.0  # a race lasts no longer

Notice = Callable[[str], object]


def partial_of(out: Path, name: str) -> Path:
    """The hidden directory of a run."""
    return out / f".{name}{_PARTIAL}"


def claim(out: Path, name: str) -> tuple[str, locks.Lock | None]:
    """A name that no other race has, its lock, and its hidden directory, which is made.

    Without a lock where the file system has none: the directory alone keeps the name.
    """
    for number in range(1, _MAX_NAMES):
        own, lock = name if number == 1 else f"{name}.{number}", None
        path = out / f".{own}{_RACING}"
        if (out / own).exists():
            continue
        try:
            if (lock := locks.acquire(path)) is None:
                continue
        except OSError as error:
            if isinstance(error, PermissionError) and path.exists():  # another user's
                continue
            if error.errno not in locks.UNSUPPORTED:
                raise
        with contextlib.suppress(FileExistsError):
            partial_of(out, own).mkdir()
            return own, lock
        if lock is not None:
            lock.release()
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(out / name))


def reclaim(folder: Path) -> tuple[str, locks.Lock | None]:
    """The name and the lock of a published run, which gets its hidden directory back."""
    lock = lock_run(folder)
    try:
        folder.rename(partial_of(folder.parent, folder.name))
    except OSError:
        if lock is not None:
            lock.release()
        raise
    return folder.name, lock


def lock_run(folder: Path) -> locks.Lock | None:
    """The lock of a published run, or ValueError where a race or a command is still at work on it.

    None where the file system has no locks.
    """
    path = folder.resolve()
    try:
        lock = locks.acquire(path.parent / f".{path.name}{_RACING}")
    except OSError:
        return None
    if lock is None:
        raise ValueError(f"{folder}: a race or a command is at work on it; wait for its end")
    return lock


def settle_abandoned(out: Path, notice: Notice = lambda text: None) -> None:
    """Delete what killed races left in a folder, and publish those that had ended training."""
    for name in sorted(_hidden(out, _PARTIAL) | _hidden(out, _RACING)):
        partial, path = out / f".{name}{_PARTIAL}", out / f".{name}{_RACING}"
        try:
            if not path.exists() and time.time() - _touched(partial) < _OLD_S:
                continue  # of a file system without locks: nobody can tell whether it lives
            lock = locks.acquire(path)
        except OSError:  # no locks here, or the file of another user
            continue
        if lock is None:
            continue
        if (partial / WEIGHTS).exists():
            notice(_publish_abandoned(partial, out / name))
        elif (partial / CHECKPOINT).exists():
            notice(release_resumable(partial, out / name))
        else:
            shutil.rmtree(partial, ignore_errors=True)
        for torn in (out / name).glob(f"{WRITING}*"):
            torn.unlink(missing_ok=True)
        lock.release(remove=not partial.exists())


def release_resumable(partial: Path, final: Path) -> str:
    """Give a race that ended with a checkpoint its name; how it goes on."""
    (partial / RESERVE).unlink(missing_ok=True)
    try:
        target = rename(partial, final)
    except OSError as error:
        return f"{partial} holds the checkpoint of a race; it is left there ({error.strerror})."
    return f"The checkpoint of a race that was killed is kept: python run.py resume {target}"


def rename(partial: Path, final: Path) -> Path:
    """Rename a directory; with a number where its name is taken."""
    for number in range(1, _MAX_NAMES):
        target = final if number == 1 else Path(f"{final}.{number}")
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():
                raise
        else:
            return target
    raise FileExistsError(final)


def _hidden(out: Path, suffix: str) -> set[str]:
    return {path.name[1 : -len(suffix)] for path in out.glob(f".?*{suffix}")}


def _touched(folder: Path) -> float:
    return max((path.stat().st_mtime for path in [folder, *folder.glob("*")]), default=0.0)


def _publish_abandoned(partial: Path, final: Path) -> str:
    """Publish a run whose weights are whole; returns what became of it, in a sentence."""
    (partial / RESERVE).unlink(missing_ok=True)
    try:
        record = schema.load(partial / RECORD)
        artifacts.read_weights(partial, record)
        if record.status == "interrupted" and (partial / CHECKPOINT).exists():
            return release_resumable(partial, final)
        target = rename(partial, final)
    except (OSError, ValueError) as error:
        if (partial / CHECKPOINT).exists():  # killed as it replaced the model of an earlier stop
            return release_resumable(partial, final)
        return f"{partial} holds weights of a race that was killed; it is left there ({error})."
    next_step = f": python run.py score {target} finishes it" if record.score is None else ""
    return f"The model of a race that was killed is kept in {target}{next_step}."
