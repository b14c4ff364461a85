"""A function of arrays, compiled if that works here and is right; else as it was written."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from speedrun.backends.mlx import devices

# Relative difference in norm that another order of rounding explains.
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 5e-2}


class CheckedCompile:
    """Calls `function`; compiled at the first call, if its results then agree.

    On the processor the compiler needs a C++ compiler on the machine; a race must not end
    where there is none. What was found is written into `facts`.
    """

    def __init__(self, function: Callable[..., Any], precision: str, facts: dict[str, Any]) -> None:
        self._eager, self._facts = function, facts
        self._tolerance = _TOLERANCE[precision]
        self._chosen: Callable[..., Any] | None = None if facts["compiled"] else function

    def __call__(self, *inputs: Any) -> Any:
        if self._chosen is None:
            self._chosen = self._prove(inputs)
        return self._chosen(*inputs)

    def _prove(self, inputs: tuple[Any, ...]) -> Callable[..., Any]:
        expected = self._eager(*inputs)
        mx.eval(expected)
        try:
            compiled = mx.compile(self._eager)
            off = _relative_difference(compiled(*inputs), expected)
        except (RuntimeError, ValueError) as error:  # all that MLX raises
            if devices.is_out_of_memory(error):
                raise
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        else:
            if off <= self._tolerance:
                return compiled
            why = f"compiled values or gradients are off by {off:.2g}"
        self._facts |= {"compiled": False, "compile_error": why}
        return self._eager


def _relative_difference(found: Any, expected: Any) -> float:
    """Of all leaves together, in norm."""
    pairs = zip(_leaves(found), _leaves(expected), strict=True)
    squares = [mx.stack([(a - b).square().sum(), b.square().sum()]) for a, b in pairs]
    off, whole = np.array(mx.stack(squares).sum(axis=0).sqrt())
    return float(off / max(whole, 1e-12))


def _leaves(tree: Any) -> list[mx.array]:
    flat: Any = tree_flatten(tree)
    return [leaf.astype(mx.float32) for _, leaf in flat]
