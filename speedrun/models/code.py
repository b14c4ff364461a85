"""Digests of the code that trains and scores an architecture: its folder, and the harness."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import architectures

_HARNESS = Path(__file__).resolve().parents[1]
_PACKAGES = ("autotune", "backends", "data", "distributed", "evaluation", "models", "training")
_SUFFIXES = {".py", ".cpp", ".cu", ".h", ".metal"}
_at_import: dict[Path, "Digests"] = {}


class HasFolder(Protocol):
    """An architecture that lies in a folder."""

    folder: Path


class Digests(NamedTuple):
    """Digests of an architecture's code, with the harness and without."""

    whole: str
    folder: str


def note(folder: Path) -> None:
    """Read the digests of a folder that is about to be imported.

    The first time in a process counts, as Python imports once: what a file becomes later, by
    its own doing or by an editor's, is not what runs.
    """
    if folder.is_dir() and (folder := folder.resolve()) not in _at_import:
        _at_import[folder] = _digests(folder)


def at_import(architecture: HasFolder) -> Digests:
    """The digests as they were before the folder was first imported."""
    note(architecture.folder)
    return _at_import[architecture.folder.resolve()]


def code_digest(architecture: HasFolder) -> str:
    """SHA-256 of the folder and the harness; the same wherever they lie, on any system.

    Not among them is code that no score depends on: the command line, views, reports.
    """
    return _digests(architecture.folder).whole


def folder_digest(architecture: HasFolder) -> str:
    """SHA-256 of the architecture's own folder alone."""
    return _digests(architecture.folder).folder


def is_outside(architecture: HasFolder) -> bool:
    """Whether the folder is not one of the project's, whatever name it has."""
    own = Path(architectures.__file__).resolve().parent
    return architecture.folder.resolve().parent != own


def _digests(folder: Path) -> Digests:
    shared = Path(architectures.__file__).parent
    found = [(f"speedrun/{path.name}", path) for path in _HARNESS.glob("*.py")]
    found += [(f"architectures/{path.name}", path) for path in shared.glob("*.py")]
    for name in _PACKAGES:
        found += [file for file in _inside(f"speedrun/{name}", _HARNESS / name) if _is_code(file)]
    # An architecture may keep anything in its folder, weights too: all but words counts.
    own = [file for file in _inside("architecture", folder) if file[1].suffix != ".md"]
    return Digests(_sha256(found + own), _sha256(own))


def _is_apart(name: str) -> bool:
    """Caches, and what editors and version control hide."""
    return name == "__pycache__" or name.startswith(".")


def _is_code(file: tuple[str, Path]) -> bool:
    return file[1].suffix in _SUFFIXES


def _sha256(files: Iterable[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()


def _inside(name: str, folder: Path) -> list[tuple[str, Path]]:
    """Files of a folder under this name; links to folders are followed, each folder once."""
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [one for one in folders if not _is_apart(one)]
        if real not in seen:
            paths = (Path(place, file) for file in files if not _is_apart(file))
            relative = [(f"{name}/{p.relative_to(folder).as_posix()}", p) for p in paths]
            found += [(key, path) for key, path in relative if path.is_file()]
        seen.add(real)
    return found
