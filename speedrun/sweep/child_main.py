"""A race in a process of its own that ends when the one who started it does.

The starter holds the other end of standard input. When it dies, even by kill -9, the system closes
that end, and the race ends with all it started: nobody is left who would steal the next race's
time. Works the same on every system, unlike signals on a parent's death.
"""

import contextlib
import os
import sys
import threading

from speedrun.system import subprocesses


def main() -> None:
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), daemon=True).start()
    from speedrun.cli.app import main as race

    race()


def _watch(end: int) -> None:
    # Not through sys.stdin: its lock would be held by this thread when the interpreter ends.
    with contextlib.suppress(OSError):
        while os.read(end, 1):
            pass
    subprocesses.end_with_all()


if __name__ == "__main__":
    main()
