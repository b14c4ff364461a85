"""Process groups for tests: ranks as threads of this process, and real launchers."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from speedrun.distributed.group import ProcessGroup, RaceOver

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
VARIABLES = {  # that torchrun sets, on the last of four ranks on two machines
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "1",
}


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
        return list(pool.map(guarded, groups))


def code_of(work: Callable[..., Any], *args: Any) -> int:
    """Exit code with which a rank above 0 leaves `work` when rank 0 has left."""
    with pytest.raises(RaceOver) as over:
        work(*args)
    assert isinstance(over.value.code, int)
    return over.value.code


def launch(command: Sequence[str], **options: Any) -> subprocess.Popen:
    """A launcher with its processes; standard input stays open."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(list(command), text=True, cwd=ROOT, env=environment, **pipes, **options)


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


def until_logged(out: Path, process: subprocess.Popen) -> None:
    """Wait until a race in another process logs steps, so that its clock runs."""
    deadline_s = time.monotonic() + 150
    while not any(log.stat().st_size for log in out.glob(".*partial/log.jsonl")):
        if time.monotonic() > deadline_s or process.poll() is not None:
            kill_all(process)
            raise AssertionError(process.communicate())
        time.sleep(0.1)


def kill_all(process: subprocess.Popen) -> None:
    """Kill a launcher and what it started: killed alone it would leave its processes behind."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for child in (*parent.children(recursive=True), parent):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
