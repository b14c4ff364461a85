"""Time of each part of a training step, as far as MLX lets one look.

Forward, loss and backward are one graph, evaluated at once: the time of a single module in it
cannot be seen from outside. So a step has few parts, evaluated one after the other.
"""

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from speedrun.backends.timeline import DATA, EXCHANGE, OPTIMIZER, REST, Timeline
from speedrun.device import Profile
from speedrun.protocols import Rows

MODEL = "model, output and loss"
_NOTE = "forward and backward passes of model and loss are one graph in MLX"


def profile(engine: Any, batches: Sequence[Rows]) -> Profile:
    """Train on these batches with an `MlxEngine`, a step each, and time the parts of a step."""
    timeline = Timeline(time.perf_counter, settle=mx.eval)
    parts = {"gradients": MODEL, "_exchange": EXCHANGE, "update": OPTIMIZER}
    with contextlib.ExitStack() as stack:
        stack.enter_context(timeline.charging(engine.losses, {"batch": DATA, "arrays": DATA}))
        stack.enter_context(timeline.charging(engine, parts))
        for rows in batches:
            timeline.mark(REST)
            engine.step(rows, 1.0)
        engine.sync()
        timeline.mark("end")
    parts_s = {part: part_s / len(batches) for part, part_s in timeline.parts_s().items()}
    return Profile(parts_s=parts_s, note=_NOTE)
