"""Settings worth timing on PyTorch's devices: see `speedrun.protocols.Backend.candidates`."""

import inspect
import os
import sys
from typing import Any

from speedrun.backends import common
from speedrun.backends.torch import attention, devices
from speedrun.config import Recipe
from speedrun.protocols import Architecture, Device

# Beside "off". Graphs of CUDA's spare the launches, which small models mostly consist of.
_MODES = {
    "cuda": ("default", "reduce-overhead", "max-autotune-no-cudagraphs"),
    "mps": ("default",),
    "cpu": ("default",),
}
_MAX_THREADS_TRIED = 3


def of(architecture: Architecture, recipe: Recipe, device: Device) -> dict[str, tuple[Any, ...]]:
    """By field of Settings, the plain value first."""
    on_cpu = device.name == "cpu"
    rows = {"micro_batch_rows": common.halves(recipe.batch_rows)}
    # What matters most comes first: the time may not suffice for all. Where launches dominate
    # small pieces can only lose.
    return {
        "precision": device.precisions,
        "num_threads": _threads() if on_cpu else (),
        **(rows if on_cpu else {}),
        "attention": _kernels(architecture, device.name),
        "compile": ("off", *_MODES[device.name]),
        "keep_memory": (True, False) if on_cpu and devices.has_glibc() else (),
        "fused": (True, False),
        **({} if on_cpu else rows),
    }


def _threads() -> tuple[int, ...]:
    """All of them, half of them …; none to try where a person has said how many."""
    if os.environ.get("OMP_NUM_THREADS"):
        return ()
    return common.halves(devices.default_threads())[:_MAX_THREADS_TRIED]


def _kernels(architecture: Architecture, device: str) -> tuple[str, ...]:
    """None to try for a model without attention."""
    module = sys.modules[architecture.model("torch").__module__]
    if "scaled_dot_product_attention" not in inspect.getsource(module):
        return ()
    return (attention.AUTO, *attention.BY_DEVICE[device])
