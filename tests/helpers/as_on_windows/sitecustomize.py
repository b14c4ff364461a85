"""Python as the project finds it on Windows, as far as that can be had on POSIX.

A process with this folder on PYTHONPATH imports this file first. Files of the project, tests too,
then see no module and no name of POSIX, other names for the system, and the rules of Windows on
files: an open or mapped file is not renamed, replaced or deleted, names have no colon, and folders
are not opened. Libraries see the system that there is. Out of reach are the exit codes and
signals of processes, path separators, and files that other processes have open.
"""

# pathlib would come back here:
# ruff: noqa: PTH110, PTH112, PTH115, PTH123, PTH208
import builtins
import errno
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

OURS = ("speedrun", "leaderboard", "architectures", "tests", "helpers", "conftest", "run")
_TESTS = Path(__file__).resolve().parents[2]
_ROOT, _HERE = str(_TESTS.parent) + os.sep, str(Path(__file__).resolve())
_ILLEGAL = set('<>:"|?*')
_import = builtins.__import__

_spec = importlib.util.spec_from_file_location("_posix", _TESTS / "helpers" / "posix.py")
assert _spec is not None and _spec.loader is not None
posix = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(posix)


class AsOnWindows:
    """A module without names, and with others in place of its own; what tests set is seen."""

    __slots__ = ("_instead", "_module", "_own")

    def __init__(self, module: Any, instead: dict[str, Any]) -> None:
        absent = posix.NAMES.get(module.__name__, ())
        # As this process found them: a test may patch them in the module.
        own = {name: getattr(module, name, None) for name in (*absent, *instead)}
        for name, value in (("_module", module), ("_instead", instead), ("_own", own)):
            object.__setattr__(self, name, value)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # pytest asks it what to restore
        return vars(self._module)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if name in self._own and value is self._own[name]:
            if name not in self._instead:
                raise AttributeError(f"module {self._module.__name__!r} has no {name!r} on Windows")
            return self._instead[name]
        return value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._module, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._module, name)

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._module) if hasattr(self, name)]


def _modules() -> dict[str, AsOnWindows]:
    import signal
    import time

    uname = platform.uname()
    modules: dict[Any, dict[str, Any]] = {
        os: {"name": "nt"},
        sys: {"platform": "win32"},
        platform: {
            "system": lambda: "Windows",
            "uname": lambda: uname._replace(system="Windows"),
            "machine": lambda: {"x86_64": "AMD64"}.get(uname.machine, uname.machine),
        },
        signal: {},
        time: {},
    }
    return {module.__name__: AsOnWindows(module, other) for module, other in modules.items()}


def _msvcrt() -> Any:
    """Windows' call on files, by POSIX."""
    import fcntl

    def locking(descriptor: int, mode: int, num_bytes: int) -> None:
        fcntl.flock(descriptor, mode)

    return SimpleNamespace(
        locking=locking, LK_NBLCK=fcntl.LOCK_EX | fcntl.LOCK_NB, LK_UNLCK=fcntl.LOCK_UN
    )


def _imported(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    importer = str((globals or {}).get("__name__", ""))
    if importer.partition(".")[0] not in OURS and not importer.startswith("test_"):
        return _import(name, globals, locals, fromlist, level)
    top = name.partition(".")[0]
    if top in posix.MODULES:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if top == "msvcrt":
        return _msvcrt()
    found = _import(name, globals, locals, fromlist, level)
    return _MODULES.get(getattr(found, "__name__", ""), found)


def _is_ours() -> bool:
    """Whether a file of the project asks, by the standard library's own words or without."""
    frame = sys._getframe(1).f_back
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_ROOT):
            return file != _HERE and "/.venv/" not in file
        if "/site-packages/" in file or frame.f_code.co_name == "TemporaryFile":
            return False
        frame = frame.f_back
    return False


def _in_use(path: str) -> bool:
    """Whether this process has the file, or one in the folder, open or mapped."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        found += [line[line.index("/") :].rstrip() for line in maps if "/" in line]
    path = os.path.realpath(path)
    return any(one == path or one.startswith(f"{path}/") for one in found)


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event not in ("open", "os.rename", "os.remove", "os.mkdir") or not _is_ours():
        return
    paths = [os.fsdecode(one) for one in args[:2] if isinstance(one, str | bytes | os.PathLike)]
    if event == "open":
        paths = paths[:1]
        if paths and os.path.isdir(paths[0]):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), paths[0])
    for path in paths:
        if _ILLEGAL & set(path):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        if event in ("os.rename", "os.remove") and os.path.exists(path) and _in_use(path):
            raise PermissionError(errno.EACCES, f"in use, on Windows: {path}", path)


_MODULES = _modules()
builtins.__import__ = _imported
shutil._use_fd_functions = False  # type: ignore[attr-defined]  # it deletes by path, not by folder
if os.path.exists("/proc/self/fd"):
    sys.addaudithook(_watch)
