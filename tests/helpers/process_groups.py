"""Process groups for tests: ranks as threads of this process, and real launchers."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from speedrun.distributed.group import ProcessGroup

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


class ThreadGroup(ProcessGroup):
    """A rank that is a thread; `exchanges` counts how often it met the others."""

    def __init__(self, rank: int, size: int, table: list, barrier: threading.Barrier) -> None:
        self.rank, self.size = rank, size
        self._table, self._barrier = table, barrier
        self.exchanges = 0

    def _all_gather(self, data):
        self.exchanges += 1
        self._table[self.rank] = data.copy()
        self._barrier.wait(timeout=20)
        found = np.stack(self._table)
        self._barrier.wait(timeout=20)
        return found

    def _broadcast(self, data):
        return self._all_gather(data)[0]

    def metadata(self):
        return {"world_size": self.size}


def on_threads(size: int, work: Callable[[ThreadGroup], Any]) -> list[Any]:
    """The result of `work` on each rank."""
    table, barrier = [None] * size, threading.Barrier(size)
    groups = [ThreadGroup(rank, size, table, barrier) for rank in range(size)]

    def guarded(group: ThreadGroup) -> Any:
        try:
            return work(group)
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return [future.result() for future in [pool.submit(guarded, group) for group in groups]]


def launch(command: Sequence[str], **options: Any) -> subprocess.Popen:
    """A launcher with its processes; standard input stays open."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
        **options,
    )


def launched(
    command: Sequence[str], timeout_s: float = 120, **options: Any
) -> tuple[int, str, str]:
    """Exit code, output and errors of a launcher; killed with all it started when late."""
    process = launch(command, **options)
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        kill_all(process)
        raise AssertionError(process.communicate()) from None
    return process.returncode, output, errors


def kill_all(process: subprocess.Popen) -> None:
    """Kill a launcher and what it started: killed alone it would leave its processes behind."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for child in (psutil.Process(process.pid), *family):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
