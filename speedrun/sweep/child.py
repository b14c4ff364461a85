"""One race of a sweep in a process of its own: heard while it runs, gone when it ends."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedrun.sweep.racing import Curve

POLL_S = 0.25
JUDGE_S = 1.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a race's process ended."""

    exit_code: int | None  # None where its machine was lost with it
    error: str = ""
    stopped_at: float | None = None  # share of the budget at which it had lost


def race_alone(
    arguments: Sequence[str],
    out: Path,
    hear: Callable[[str], None],
    has_lost: Callable[[Curve], bool] | None = None,
) -> Ended:
    """One race in a process of its own, killed when `has_lost` says so of its curve."""
    with contextlib.closing(race_heard(arguments, out, has_lost)) as race:
        while True:
            try:
                hear(next(race))
            except StopIteration as stop:
                return stop.value


def race_heard(
    arguments: Sequence[str], out: Path, has_lost: Callable[[Curve], bool] | None = None
) -> Generator[str, None, Ended]:
    """As `race_alone`, for who asks: the race's last line, over and over; closing it kills it."""
    # A session of its own: Ctrl-C at the terminal is the sweep's to handle.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "speedrun.sweep.tether", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        encoding="utf-8", errors="replace", env=environment(), start_new_session=True,
    )  # fmt: skip
    lines: list[str] = []
    reader = _Reader(process, lines)
    reader.start()
    judged_s = time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(POLL_S)
            yield lines[-1] if lines else "starting"
            if has_lost is not None and time.monotonic() - judged_s > JUDGE_S:
                judged_s = time.monotonic()
                curve = curve_so_far(out, process.pid)
                if curve and has_lost(curve):
                    return Ended(-signal.SIGKILL, stopped_at=curve[-1][0])
    finally:
        _end(process, out)
    reader.join(timeout=5)
    return Ended(process.returncode, _what_went_wrong(process.returncode, lines))


def environment() -> dict[str, str]:
    """For a process of ours: this one's, and the project where it looks for modules."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


def curve_so_far(out: Path, pid: int) -> list[tuple[float, float | None]]:
    """Share and loss of every line in the log of a race under way."""
    curve: list[tuple[float, float | None]] = []
    for path in out.glob(f".*.{pid}.partial/log.jsonl"):
        # The folder may be given its name meanwhile, and the last line may not be whole.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                curve.append((float(entry["share"]), float(entry["loss_nats"])))
    return curve


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
