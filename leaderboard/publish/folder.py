"""Publication to a folder: whole or not at all, and never in place of anything else."""

import os
import shutil
import uuid
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from leaderboard.publish.contents import CARD, NAMES
from leaderboard.submit import VERIFICATION
from speedrun.records import schema
from speedrun.records.files import RECORD
from speedrun.system.files import PARTIAL, sync_folder, write_atomic


def publish(to: Path, run: Path, record_id: str, files: Mapping[str, bytes]) -> None:
    """Write the files as the folder `to`; ValueError where it is something else, or cannot be."""
    if to.exists() and run.exists() and to.samefile(run if run.is_dir() else run.parent):
        raise ValueError(f"--to {to}: that is the folder of the run itself; give another")
    if (problem := _problem(to, record_id)) is not None:
        raise ValueError(
            f"--to {to}: {problem}; give a new or empty folder, or an earlier publication of this"
            " run"
        )
    to = Path(os.path.abspath(to))  # noqa: PTH100  # `.` has no name, and links stay
    token = f"{PARTIAL}{uuid.uuid4().hex}"
    partial, old = to.with_name(token), to.with_name(f"{token}.old")
    try:
        notes = {path.name: path.read_bytes() for path in to.glob(VERIFICATION)}  # of `verify`
        for name, content in {**notes, **files}.items():
            write_atomic(partial / name, content)
        sync_folder(partial)
        if to.exists():
            to.rename(old)
        try:
            partial.rename(to)
        except BaseException:  # Ctrl-C, too
            if old.exists():
                old.rename(to)
            raise
        sync_folder(to.parent)
    except OSError as error:
        raise ValueError(
            f"--to {to}: cannot be written ({error.strerror}); choose another folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if to.exists():
            shutil.rmtree(old, ignore_errors=True)


def _problem(to: Path, record_id: str) -> str | None:
    """The reason why a folder must not be replaced; None where it may be."""
    if not os.path.lexists(to):
        return None
    if to.is_symlink() or not to.is_dir():
        return "that is no folder"
    found = sorted(path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir())
    if not found:
        return None
    if others := [name for name in found if not (name in NAMES or fnmatch(name, VERIFICATION))]:
        return f"there is other content ({', '.join(others[:3])})"
    if CARD not in found or RECORD not in found:
        return "there is no publication of a run"
    try:
        if schema.load(to / RECORD).id == record_id:
            return None
    except ValueError:
        pass
    return "there is another run"
