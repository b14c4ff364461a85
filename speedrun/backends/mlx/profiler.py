"""A training step taken apart, as far as MLX lets one look.

Forward, loss and backward are one graph, evaluated at once: what a module took in it cannot be
seen from outside. So a step has three parts, evaluated one after the other, that add up to it.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import mlx.core as mx

from speedrun.protocols import Profile

DATA, MODEL = "data", "model, output and loss"
EXCHANGE, OPTIMIZER, REST = "exchange", "optimizer", "the rest"
_NOTE = "forward and backward passes of model and loss are one graph in MLX"

Mark = Callable[..., None]


def unmarked(part: str, *pending: Any) -> None:
    """Nobody is looking where the time goes."""


def profile(steps: Callable[[Mark], int]) -> Profile:
    """`steps` trains and marks: the part that begins, and what the one before has yet to do."""
    parts_s: dict[str, float] = defaultdict(float)
    part, since_s = REST, time.perf_counter()

    def mark(next_part: str, *pending: Any) -> None:
        nonlocal part, since_s
        mx.eval(*pending)
        now_s = time.perf_counter()
        parts_s[part] += now_s - since_s
        part, since_s = next_part, now_s

    num_steps = steps(mark)
    mark(REST)
    return Profile(parts_s={p: s / num_steps for p, s in parts_s.items()}, note=_NOTE)
