"""Rows shared out over threads whose kernels wait for nobody: no barrier at any product."""

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from speedrun.backends.torch import workers

T = TypeVar("T")


def shares(num_rows: int, rows_per_thread: int) -> list[slice]:
    """Even shares of the rows, one a thread, of `rows_per_thread` or more where rows are few."""
    num_threads = torch.get_num_threads() if workers.are_possible() else 1
    num = min(num_threads, math.ceil(num_rows / rows_per_thread))
    bounds = [num_rows * i // num for i in range(num + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def run(function: Callable[[slice], T], parts: Sequence[slice]) -> list[T]:
    """Results of `function` on each part, each in a thread, without gradients.

    The processor's threads are divided among them. `function` must be safe to run side by side.
    """
    if len(parts) <= 1:
        return [function(part) for part in parts]
    all_threads = torch.get_num_threads()

    @torch.no_grad()
    def run_one(part: slice) -> T:
        torch.set_num_threads(max(1, all_threads // len(parts)))  # of this thread's kernels
        return function(part)

    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(run_one, parts))
    finally:
        torch.set_num_threads(all_threads)  # threads that start later would take the last one set
