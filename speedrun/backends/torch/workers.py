"""Gradients of a batch from pieces of its rows, computed by threads side by side.

A worker computes alone: where an operation runs on several threads, each of its barriers waits
for the core that is busiest with something else. Here pieces wait in a queue, and a worker that
is held up takes fewer of them. Gradients are added in the order of the rows, whoever was first,
so that a seed repeats bit by bit.
"""

import contextvars
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

PIECES_EACH = 2  # of a worker, where nothing holds one up

P = TypeVar("P")
R = TypeVar("R")
Grads = Sequence[Tensor | None]


class Workers:
    """Threads that share a model's parameters and compute its gradients piece by piece.

    A model that changes its buffers or draws random numbers as it trains depends on the order
    of the pieces: `unfit` says so after the first step, which is computed in order.
    """

    def __init__(self, model: nn.Module, num_workers: int) -> None:
        self.num_workers = num_workers
        self.unfit: str | None = None
        self.in_turn = False  # one piece after the other, so that each can be timed
        self._model, self._known_sizes = model, set[int]()
        self._params = [param for param in model.parameters() if param.requires_grad]

    def piece_rows(self, num_rows: int, most: int) -> int:
        """Rows of a piece of a batch: enough pieces for all, none of more than `most` rows."""
        return min(most, -(-num_rows // (PIECES_EACH * self.num_workers)))

    def gradients(self, pieces: Sequence[Any], loss: Callable[[Any], Tensor]) -> Tensor:
        """Set the gradients of the sum of the pieces' losses; that sum."""

        def work(piece: Any) -> tuple[Tensor, Grads]:
            part = loss(piece)
            return part.detach(), torch.autograd.grad(part, self._params, allow_unused=True)

        sizes = set(map(len, pieces))
        if sizes <= self._known_sizes and not self.in_turn:
            done = self._map(work, pieces)
        else:  # perhaps compiled for this size, by one of them
            before = None if self._known_sizes else self._state()
            done = [self._map(work, [piece])[0] for piece in pieces]
            self._known_sizes |= sizes
            if before is not None and before != self._state():
                self.unfit = "the model changes its state or draws random numbers as it trains"
        parts, grads = zip(*done, strict=True)
        by_param = list(zip(self._params, zip(*grads, strict=True), strict=True))
        self._map(_add_all, [by_param[i :: self.num_workers] for i in range(self.num_workers)])
        return torch.stack(parts).sum()

    def _map(self, function: Callable[[P], R], inputs: Iterable[P]) -> list[R]:
        """The results in order; where one fails, after the others have ended."""
        pool = _pool(self.num_workers, max(1, torch.get_num_threads() // self.num_workers))
        # Settings of PyTorch's compiler are variables of a context, not of the process.
        futures: list[Future[R]] = [
            pool.submit(contextvars.copy_context().run, function, one) for one in inputs
        ]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def _state(self) -> tuple[object, ...]:
        """State beside the parameters that a pass could change."""
        _, keys, position, *_ = cast(Any, np.random.get_state())
        buffers = [buffer.tolist() for buffer in self._model.buffers()]
        generators = torch.get_rng_state().tolist(), random.getstate(), keys.tolist(), position
        return *generators, buffers


def _add_all(by_param: Iterable[tuple[Tensor, Grads]]) -> None:
    """Set each parameter's gradient to the sum over the pieces, in their order."""
    for param, grads in by_param:
        param.grad = _sum(param, [grad for grad in grads if grad is not None])


def _sum(param: Tensor, grads: Sequence[Tensor]) -> Tensor | None:
    if not grads:
        return None
    first, *others = grads
    if first.is_sparse:
        return sum(others, first)
    # Gradients of two parameters may be one tensor: none is changed in place.
    total = torch.empty_like(param).copy_(first)
    for grad in others:
        total += grad
    return total


@cache
def are_possible() -> bool:
    """Whether a thread can have a number of threads of its own, as with OpenMP."""
    here = torch.get_num_threads()
    there = _pool(1, 1).submit(torch.get_num_threads).result()
    return there == 1 and torch.get_num_threads() == here


@cache
def _pool(num_workers: int, num_threads: int) -> ThreadPoolExecutor:
    """Workers that compute on so many threads each."""

    def begin() -> None:
        torch.get_num_threads()  # the first use takes the process's number
        torch.set_num_threads(num_threads)

    here = torch.get_num_threads()
    pool = ThreadPoolExecutor(num_workers, "speedrun-worker", begin)
    all_begun = threading.Barrier(num_workers + 1)
    for _ in range(num_workers):
        pool.submit(all_begun.wait)
    all_begun.wait()
    torch.set_num_threads(here)  # of threads to come
    return pool
