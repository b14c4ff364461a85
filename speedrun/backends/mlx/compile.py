"""A function of arrays under `mx.compile`, checked in all its results."""

import time
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from speedrun.backends import checked_compile


class CheckedCompile(checked_compile.CheckedCompile):
    """See `speedrun.backends.checked_compile.CheckedCompile`."""

    def _compile(self) -> Callable[..., Any]:
        return mx.compile(self.eager)

    def _difference(self, compiled: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
        expected = self.eager(*inputs)
        mx.eval(expected)
        pairs = zip(_leaves(compiled(*inputs)), _leaves(expected), strict=True)
        squares = [mx.stack([(a - b).square().sum(), b.square().sum()]) for a, b in pairs]
        off, whole = np.array(mx.stack(squares).sum(axis=0).sqrt())
        return float(off / max(whole, 1e-12))

    def _seconds(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
        start_s = time.perf_counter()
        mx.eval(function(*inputs))
        return time.perf_counter() - start_s


def _leaves(tree: Any) -> list[mx.array]:
    flat: Any = tree_flatten(tree)
    return [leaf.astype(mx.float32) for _, leaf in flat]
