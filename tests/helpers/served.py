"""A child process whose methods work, fail, print, hang and die: see tests/system."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from speedrun.system import subprocesses


class Served:
    def __init__(self, notice: Callable[[str], None], greeting: str) -> None:
        if greeting == "refuse":
            raise ValueError("not today\nand a long story")
        self.notice = notice
        notice(greeting)

    def echo(self, value: Any) -> Any:
        print("printed, which is no message", flush=True)
        return value

    def fail(self) -> None:
        raise RuntimeError("no kernel for it\nand a long story")

    def hang(self, say_first: str = "") -> None:
        self.notice(say_first)
        time.sleep(60)

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave(self) -> None:
        print("something else", file=sys.stderr)
        sys.exit("error: no such café")

    def grandchild(self) -> int:
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid


if __name__ == "__main__":
    subprocesses.serve(Served)
