"""One race of a sweep in a process of its own: heard while it runs, gone when it ends."""

import contextlib
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedrun.sweep.early_stopping import Curve
from speedrun.system import subprocesses

POLL_S = 0.25
JUDGE_S = 1.0


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
    process = subprocesses.start(["-m", "speedrun.sweep.child_main", *arguments])
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
    return Ended(process.returncode, subprocesses.why_ended(process.returncode, lines))


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
    was_running = process.poll() is None
    subprocesses.kill(process)
    if was_running:
        for folder in out.glob(f".*.{process.pid}.partial"):
            shutil.rmtree(folder, ignore_errors=True)
