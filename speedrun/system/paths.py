"""Folder of the cache, and what takes its place where it cannot be written."""

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SPEEDRUN_CACHE"
_BLOCK = b"\0" * 4096  # on a full disk a file can be made and not filled


def cache_dir() -> Path:
    """Folder of cached tokens, tokenizers and held-out documents; SPEEDRUN_CACHE overrides it.

    Where it cannot be written it is a private copy, which goes with the process; decided once.
    """
    return _decided(os.environ.get(CACHE_VARIABLE))[0]


def cache_problem() -> str | None:
    """A sentence on why the cache is a private, temporary one; None where it is not."""
    return _decided(os.environ.get(CACHE_VARIABLE))[1]


@functools.cache
def _decided(chosen: str | None) -> tuple[Path, str | None]:
    try:
        wanted = Path(chosen or platformdirs.user_cache_dir("speedrun"))
    except RuntimeError:  # a user whom the system does not know
        wanted = Path("~")
    has_place = chosen is not None or wanted.is_absolute()
    why = not_writable(wanted) if has_place else "there is no home folder"
    if why is None:
        return wanted.absolute(), None
    private = private_dir("speedrun-cache-")
    if has_place:  # what can be read there still serves; tokens are large
        with contextlib.suppress(OSError):
            large = shutil.ignore_patterns("tokens")
            shutil.copytree(wanted, private, ignore=large, dirs_exist_ok=True)
    named = f"the cache {wanted}" if has_place else "the cache"
    return private, (
        f"{named} cannot be written ({why}): a temporary one is used, set {CACHE_VARIABLE} to a"
        " folder that can be"
    )


def not_writable(folder: Path) -> str | None:
    """The reason why no file can be written below a folder, which is made; None where one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_BLOCK)
            file.flush()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def private_dir(prefix: str, within: Path | None = None) -> Path:
    """A new temporary folder of this process, deleted at its end; ValueError where none can be."""
    try:
        made = tempfile.mkdtemp(prefix=prefix, dir=within)
    except OSError as error:
        raise ValueError(
            f"no temporary folder can be made ({error.strerror}): set TMPDIR to a folder that can"
            " be written"
        ) from None
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)
