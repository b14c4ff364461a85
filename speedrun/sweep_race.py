"""One race of a sweep in a process of its own: heard while it runs, gone when it ends."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL_S = 0.25
_ROOT = Path(__file__).resolve().parent.parent


def race_alone(arguments: Sequence[str], out: Path, hear: Callable[[str], None]) -> tuple[int, str]:
    """One race in a process of its own; its exit code, and the line that says what went wrong."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    # A session of its own: Ctrl-C at the terminal is the sweep's to handle.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "speedrun.tether", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        encoding="utf-8", errors="replace", env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )  # fmt: skip
    lines: list[str] = []
    reader = _Reader(process, lines)
    reader.start()
    try:
        while process.poll() is None:
            time.sleep(POLL_S)
            hear(lines[-1] if lines else "starting")
    finally:
        _end(process, out)
    reader.join(timeout=5)
    return process.returncode, _what_went_wrong(process.returncode, lines)


class _Reader(threading.Thread):
    """Keeps the lines that a race writes, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str], lines: list[str]) -> None:
        super().__init__(daemon=True)
        self._process, self._lines = process, lines

    def run(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._lines.append(line.strip())


def _end(process: "subprocess.Popen[str]", out: Path) -> None:
    """Nothing of the race is left behind, however it or the sweep ended."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        for folder in out.glob(f".*.{process.pid}.partial"):
            shutil.rmtree(folder, ignore_errors=True)
    if process.stdin is not None:
        process.stdin.close()


def _what_went_wrong(exit_code: int, lines: Sequence[str]) -> str:
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (by the system, if memory ran out)" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}"
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or list(lines[-1:]) or [""])[-1][:500]
