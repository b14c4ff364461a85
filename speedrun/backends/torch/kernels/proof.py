"""Proof of an operator's kernel: its values against the reference, its time against PyTorch's.

The first proof of a shape runs in a child process (this module), which a crash ends in its place.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from speedrun.backends.torch.kernels.operators import OPERATORS, Operator, Tensors
from speedrun.system import subprocesses

# Relative difference in norm that rounding explains.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2}
_ROUNDS, _ROUND_S = 7, 0.01


def problem(operator: Operator, shape: Sequence[int], dtype: torch.dtype) -> str | None:
    """The disagreement of the kernel with the reference; None where they agree."""
    expected = operator.reference(*operator.inputs(tuple(shape), dtype))
    found = operator.kernel(*operator.inputs(tuple(shape), dtype))
    off = max(_difference(a.float(), b.float()) for a, b in zip(found, expected, strict=True))
    return None if off <= TOLERANCE[dtype] else f"is off by {off:.2g} from its reference"


def speedup(operator: Operator, shape: Sequence[int], dtype: torch.dtype) -> float:
    """Time of what PyTorch has over that of the kernel, each the least of interleaved rounds."""
    inputs = operator.inputs(tuple(shape), dtype)
    functions = [operator.replaced, operator.kernel]
    least = [_seconds(function, inputs, 1) for function in functions]
    num_calls = max(1, int(_ROUND_S / least[0]))
    for _ in range(_ROUNDS):
        times = [_seconds(function, inputs, num_calls) for function in functions]
        least = [min(pair) for pair in zip(least, times, strict=True)]
    return least[0] / least[1]


def _difference(a: Tensor, b: Tensor) -> float:
    off = float((a - b).norm() / b.norm().clamp(min=1e-12))
    return off if off == off else float("inf")


def _seconds(function: Callable[..., Tensors], inputs: tuple[Any, ...], num_calls: int) -> float:
    started_s = time.perf_counter()
    for _ in range(num_calls):
        function(*inputs)
    return (time.perf_counter() - started_s) / num_calls


class Probe:
    """Proofs in a child process; served to `selection`."""

    def __init__(self, notice: Callable[[str], None], num_threads: int) -> None:
        torch.set_num_threads(num_threads)

    def prove(self, name: str, shape: list[int], dtype: str) -> dict[str, Any]:
        """Problem and speedup of an operator, by its name and that of its number format."""
        case = OPERATORS[name], shape, getattr(torch, dtype)
        return {"problem": problem(*case), "speedup": speedup(*case)}


if __name__ == "__main__":
    subprocesses.serve(Probe)
