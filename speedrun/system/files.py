"""Atomic writes: a file is there whole or not at all."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial-"  # begins the name of a file that is being written
# Windows replaces no file that is open: readers and scanners have one open for a moment.
_RETRIES_S = (0.01, 0.05, 0.2) if os.name == "nt" else ()


def write_atomic(path: Path, content: bytes | str) -> None:
    """Create or replace a file, with its folder; on OSError an older file is unchanged."""
    with _written(path, content) as partial:
        for wait_s in _RETRIES_S:
            try:
                partial.replace(path)
                return
            except PermissionError:
                time.sleep(wait_s)
        partial.replace(path)


def create_atomic(path: Path, content: bytes | str) -> bool:
    """Create a file; False, and the older file unchanged, where the name is taken."""
    with _written(path, content) as partial:
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                return False
            partial.replace(path)
        return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _written(path: Path, content: bytes | str) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{PARTIAL}{uuid.uuid4().hex}"
    try:
        with partial.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        yield partial
    finally:
        partial.unlink(missing_ok=True)
