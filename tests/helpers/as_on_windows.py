"""Run commands where the project finds no POSIX: `python as_on_windows.py '["--minutes", …]' …`.

Frameworks come first, as they have code of their own for Windows.
"""

import builtins
import fcntl
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
from types import SimpleNamespace
from typing import Any

import datasets  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import rich.live  # noqa: F401
import scipy.optimize  # noqa: F401
import torch  # noqa: F401

MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "curses"}
OURS = ("speedrun", "leaderboard", "architectures")
_OF_OS = """
fork forkpty killpg getpgid setsid sched_getaffinity posix_fallocate getloadavg mkfifo openpty pread
preadv O_NOFOLLOW O_NONBLOCK O_DIRECTORY
"""
_OF_SIGNAL = """
SIGHUP SIGKILL SIGUSR1 SIGUSR2 SIGQUIT SIGTSTP SIGALRM SIGPIPE setitimer alarm pthread_kill
pthread_sigmask sigwait
"""
MISSING = {os: _OF_OS.split(), signal: _OF_SIGNAL.split(), time: ["CLOCK_BOOTTIME"]}
_import = builtins.__import__


def without_posix(name: str, globals: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Import as Python does, but none of `MODULES` for the project's own files."""
    importer = str((globals or {}).get("__name__", ""))
    if name.partition(".")[0] in MODULES and importer.partition(".")[0] in OURS:
        raise ImportError(f"No module named {name!r}", name=name)
    return _import(name, globals, *args, **kwargs)


def locking(descriptor: int, mode: int, num_bytes: int) -> None:
    """Windows' call on files, by POSIX."""
    fcntl.flock(descriptor, mode)


def hide() -> None:
    """Hide what Windows lacks, and give what it has."""
    sys.modules["msvcrt"] = SimpleNamespace(  # type: ignore[assignment]
        locking=locking, LK_NBLCK=fcntl.LOCK_EX | fcntl.LOCK_NB, LK_UNLCK=fcntl.LOCK_UN
    )
    builtins.__import__ = without_posix
    for module, names in MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


def import_all() -> None:
    """Import every module of the project, except models of frameworks that are not here."""
    for package in OURS:
        folder = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(folder, f"{package}."):
            if "mlx" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


if __name__ == "__main__":
    hide()
    import_all()
    from speedrun.cli import app

    for words in sys.argv[1:]:
        try:
            app.main(json.loads(words))
        except SystemExit as ended:
            print("ended with", ended.code, flush=True)
