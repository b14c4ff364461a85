"""End child processes that hang, such as a compiler on a file system that does not answer."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

IDLE_S = 20.0  # without work, after which a process hangs
LIMIT_S = 600.0  # given to one that works
_WORK_S = 0.5  # processor time of one that has worked
_EVERY_S = 0.5


@contextlib.contextmanager
def ending_hung_children(idle_s: float = IDLE_S, limit_s: float = LIMIT_S) -> Iterator[list[str]]:
    """End programs started inside it that hang, so that whoever waits for them goes on.

    Gives a list that their names are added to. Python's own worker processes wait for work and
    are spared.
    """
    ended: list[str] = []
    is_over = threading.Event()
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def watch() -> None:
        while not is_over.wait(_EVERY_S):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if child.pid not in before and _hangs(child, idle_s, limit_s):
                        name = Path(child.exe() or child.name()).name
                        child.kill()
                        ended.append(name)

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        is_over.set()
        thread.join()


def _hangs(child: psutil.Process, idle_s: float, limit_s: float) -> bool:
    age_s = time.time() - child.create_time()
    if age_s < idle_s or child.status() == psutil.STATUS_ZOMBIE or child.children():
        return False
    if Path(child.exe()).name == Path(sys.executable).resolve().name:
        return False
    times = child.cpu_times()
    # A compiler's driver works through its children, and has none between two of them.
    worked_s = times.user + times.system + times.children_user + times.children_system
    return age_s > limit_s or worked_s < _WORK_S
