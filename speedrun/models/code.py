"""Digests of the code that trains and scores an architecture: its folder, and the harness."""

import hashlib
import re
from pathlib import Path

import architectures
from speedrun.models.loader import LoadedArchitecture

_HARNESS = Path(__file__).resolve().parents[1]
_PACKAGES = ("autotune", "backends", "data", "distributed", "evaluation", "models", "training")
_SUFFIXES = {".py", ".cpp", ".cu", ".h", ".metal"}
_NOT_READ = {".md", ".pyc"}
_HIDDEN = re.compile(r"/\.|/__pycache__/")


def code_digest(architecture: LoadedArchitecture) -> str:
    """SHA-256 of the folder and the harness; the same wherever they lie, on any system.

    Not among them is code that no score depends on: the command line, views, reports.
    """
    shared = Path(architectures.__file__).parent
    found = [(f"speedrun/{path.name}", path) for path in _HARNESS.glob("*.py")]
    found += [(f"architectures/{path.name}", path) for path in shared.glob("*.py")]
    for name in _PACKAGES:
        found += _inside(f"speedrun/{name}", _HARNESS / name)
    return _sha256(found + _all_of(architecture.folder))


def folder_digest(architecture: LoadedArchitecture) -> str:
    """SHA-256 of the architecture's own folder alone."""
    return _sha256(_all_of(architecture.folder))


def is_outside(architecture: LoadedArchitecture) -> bool:
    """Whether the folder is not one of the project's, whatever name it has."""
    own = Path(architectures.__file__).resolve().parent
    return architecture.folder.resolve().parent != own


def _sha256(files: list[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()


def _all_of(folder: Path) -> list[tuple[str, Path]]:
    """An architecture's files: numbers that it reads count like its code."""
    paths = (path for path in folder.rglob("*") if path.suffix not in _NOT_READ)
    named = [(f"architecture/{path.relative_to(folder).as_posix()}", path) for path in paths]
    return [(name, p) for name, p in named if p.is_file() and not _HIDDEN.search(name)]


def _inside(name: str, folder: Path) -> list[tuple[str, Path]]:
    files = (path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return [(f"{name}/{path.relative_to(folder).as_posix()}", path) for path in files]
