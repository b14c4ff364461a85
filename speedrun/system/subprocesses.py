"""Python processes of our own: each in a session of its own, and gone with whoever started it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_ROOT = Path(__file__).resolve().parents[2]


def start(words: Sequence[str], *, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
    """Python with these words, which finds the project from every folder.

    Ctrl-C at the terminal does not reach it: that is its starter's to handle.
    """
    return subprocess.Popen(
        [sys.executable, "-P", *words],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment(),
        start_new_session=True,
    )


def environment() -> dict[str, str]:
    """This process's, and the project where Python looks for modules."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def kill(process: "subprocess.Popen[str]") -> None:
    """End a process with all that it has started, and wait for it."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # what was not sent yet has no reader
            process.stdin.close()


def end_with_all() -> NoReturn:
    """End this process and all that it has started: compilers and loaders, too."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(137)


def why_ended(exit_code: int, errors: Sequence[str]) -> str:
    """In words, from the lines of its standard error."""
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (by the system, if memory ran out)" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}"
    said = [line.removeprefix("error: ") for line in errors if line.startswith("error: ")]
    return (said or list(errors[-1:]) or [""])[-1][:500]
