"""Plug-in architectures: import from folders and installed packages, attribution of errors."""

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from speedrun.text import reason

ENTRY_POINTS = "speedrun.architectures"
# Modules are the process's, and imports anew replace them: one thread at a time.
_IMPORTING = threading.RLock()
_LONGEST_REASON = 300
T = TypeVar("T")


class PluginError(ValueError):
    """Code of an architecture failed; the cause is the exception it raised."""


def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """Entry points of installed packages by name; ValueError where two offer the same name."""
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        # An editable install and its checkout show the same one twice.
        if found.setdefault(entry.name, entry).value != entry.value:
            raise ValueError(
                f"two installed packages offer an architecture {entry.name!r}:"
                f" {found[entry.name].value} and {entry.value}; uninstall one"
            )
    return found


def from_entry_point(entry: importlib.metadata.EntryPoint) -> ModuleType:
    """The package that an entry point names."""
    what = f"{entry.value} of the installed {entry.dist.name if entry.dist else 'package'}"
    package = imported(entry.name, what, entry.load)
    if not isinstance(package, ModuleType) or not hasattr(package, "__path__"):
        raise ValueError(f"architecture {entry.name!r}: {what} is no package (a folder)")
    return package


def folder_of(entry: importlib.metadata.EntryPoint) -> Path | None:
    """The folder of an entry point's package, which is not imported for it."""
    root, *rest = entry.module.split(".")
    spec = importlib.util.find_spec(root)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places)), *rest) if places else None


def from_folder(folder: Path) -> ModuleType:
    """The package in a folder, imported once under a name that no other folder has."""
    init = folder / "__init__.py"
    if not folder.is_dir():
        raise ValueError(f"--arch {folder}: no such folder")
    if not init.is_file():
        raise ValueError(
            f"--arch {folder}: no __init__.py there; an architecture is a folder with"
            " __init__.py and torch_model.py or mlx_model.py"
        )
    path = folder.resolve()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    name = f"speedrun_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', path.name)}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, init, submodule_search_locations=[str(path)]
    )
    assert spec is not None and spec.loader is not None
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    loader = spec.loader
    try:
        imported(path.name, "__init__.py", lambda: loader.exec_module(package))
    except PluginError:
        del sys.modules[name]
        raise
    return package


def imported(architecture: str, what: str, load: Callable[[], T]) -> T:
    """The result of an import; PluginError with file and line for whatever it raises."""
    try:
        with _IMPORTING:
            return load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"architecture {architecture!r}: {what} could not be imported"
            f"{_place(error, None)}: {reason(error, _LONGEST_REASON)}"
        ) from error


@contextlib.contextmanager
def attributed(architecture: str, package: ModuleType) -> Iterator[None]:
    """Context in which errors of a plug-in's code become one line that names it.

    ValueError and LookupError of its framework-free files are messages and keep their words; so
    do those of the project's own code, which never passed through the folder.
    """
    try:
        yield
    except (PluginError, OSError, MemoryError):
        raise
    except Exception as error:
        place, faults = _place(error, package), (KeyError, IndexError, UnicodeError)
        is_message = isinstance(error, (ValueError, LookupError)) and not isinstance(error, faults)
        if is_message and not place:
            raise
        if is_message and "_model.py" not in place:
            raise PluginError(f"architecture {architecture!r}: {error}") from error
        raise PluginError(
            f"{'' if place else 'racing '}architecture {architecture!r} failed"
            f"{place or _place(error, None)}: {reason(error, _LONGEST_REASON)}"
            " (SPEEDRUN_TRACEBACK=1 shows all of it)"
        ) from error


def _place(error: BaseException, package: ModuleType | None) -> str:
    """` at file.py:12`: the last line of the package, or of any file, that it passed through."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {Path(error.filename).name}:{error.lineno}"
    roots = {Path(path).resolve() for path in package.__path__} if package else set()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if roots and not roots & {*file.resolve().parents}:
            continue
        if "importlib" not in frame.filename and file != Path(__file__):
            return f" at {file.name}:{frame.lineno}"
    return ""
