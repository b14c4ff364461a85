"""One race of a duel in processes of its own, which end with this one, however it ends.

The race is a command line, of this code or of a commit that is checked out. A small process starts
it, passes on the lines of its standard error as messages, and kills it when its parent is gone.
"""

import collections
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from speedrun.system.subprocesses import Child, ChildEnded, ChildTimeout, Parent

POLL_S = 0.25
SILENT_S = 2.0  # after which a line says how old it is
_ROOT = Path(__file__).resolve().parents[2]
_KEPT_LINES = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """The end of a race: its exit code and the last lines of its standard error."""

    exit_code: int | None
    error: str  # one line
    lines: Sequence[str] = ()
    host: Mapping[str, float | None] | None = None  # see `speedrun.duel.gate`


def race(command: Sequence[str], folder: Path | None, hear: Callable[[str], None]) -> Ended:
    """Run a race's command to its end; `hear` is told its last line several times a second.

    `folder` is that of a checkout, None for this code.
    """
    child, line, heard_s = Child("speedrun.duel.process"), "starting", time.monotonic()
    env = environment(folder) if folder is not None else None
    try:
        child.send({"command": list(command), "cwd": folder and str(folder), "env": env})
        while True:
            silent_s = time.monotonic() - heard_s
            hear(line if silent_s < SILENT_S else f"{line} ({silent_s:.0f} s)")
            with contextlib.suppress(ChildTimeout):
                message = child.receive(POLL_S)
                if message["kind"] == "ended":
                    return Ended(**{key: message[key] for key in message if key != "kind"})
                line, heard_s = message["text"], time.monotonic()
    except ChildEnded as error:
        return Ended(exit_code=child.exit_code, error=str(error))
    finally:
        child.kill()


def environment(checkout: Path) -> dict[str, str]:
    """This process's environment, with a checkout in place of this code."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [path for path in paths if path and not Path(path).resolve().is_relative_to(_ROOT)]
    environ = os.environ | {"PYTHONIOENCODING": "utf-8"}
    return {**environ, "PYTHONPATH": os.pathsep.join([str(checkout), *kept])}


def start(checkout: Path | None) -> list[str]:
    """The words that start the program, of a checkout or of this code."""
    entry = ["run.py"] if checkout is not None else ["-P", "-m", "speedrun"]
    return [sys.executable, *entry]


def _last(lines: Sequence[str], exit_code: int) -> str:
    """The signal that ended a race, the error among its last lines, or the last line itself."""
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    last = lines[-1:] if exit_code else []
    return [f"ended with exit code {exit_code}", *last, *errors][-1][:500]


def main() -> None:
    """Run the command that the parent sends."""
    parent = Parent()
    asked: dict[str, Any] = dict(parent.receive())
    from speedrun.duel.gate import Watch

    watch = Watch()
    with subprocess.Popen(
        asked["command"],
        cwd=asked["cwd"],
        env=asked["env"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        assert process.stderr is not None
        for line in filter(None, map(str.strip, process.stderr)):
            lines.append(line)
            parent.send("line", text=line)
    code = process.returncode
    host, kept = watch.end(), list(lines)
    parent.send("ended", exit_code=code, error=_last(kept, code), lines=kept, host=host)


if __name__ == "__main__":
    main()
