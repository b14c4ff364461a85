"""Execution settings worth timing on PyTorch's devices, and the attention kernels by name."""

import contextlib
import os
from typing import Any

from torch.nn.attention import SDPBackend, sdpa_kernel

from speedrun.backends import common
from speedrun.backends.torch import devices, workers
from speedrun.config import Recipe
from speedrun.device import Device
from speedrun.protocols import Architecture

# Beside "off". CUDA graphs save the kernel launches, which small models mostly consist of.
_COMPILE_MODES = {
    "cuda": ("default", "reduce-overhead", "max-autotune-no-cudagraphs"),
    "mps": ("default",),
    "cpu": ("default",),
}
_MAX_THREAD_COUNTS = 3
_AUTO = "auto"  # PyTorch's own choice
_KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
_KERNELS_BY_DEVICE = {"cuda": ("flash", "cudnn", "efficient"), "mps": ("math",), "cpu": ("math",)}


def attention_kernel(name: str | None) -> contextlib.AbstractContextManager[object]:
    """Inside it attention takes this kernel; RuntimeError there where it cannot."""
    if name in (None, _AUTO):
        return contextlib.nullcontext()
    return sdpa_kernel(_KERNELS[name])


def of(architecture: Architecture, recipe: Recipe, device: Device) -> dict[str, tuple[Any, ...]]:
    """Candidates by field of ExecutionConfig, the plain value first; see `Backend.candidates`.

    Fields come in the order of what they matter: the time may not suffice for all. Where
    launches dominate small pieces can only lose. Attention kernels are candidates of a model
    whose class says `uses_attention = True`.
    """
    on_cpu = device.name == "cpu"
    rows = {"micro_batch_rows": common.halves(recipe.batch_rows)}
    has_attention = getattr(architecture.model("torch"), "uses_attention", False)
    return {
        "precision": device.precisions,
        "num_threads": _thread_counts() if on_cpu else (),
        "workers": _worker_counts(recipe.batch_rows) if on_cpu else (),
        **(rows if on_cpu else {}),
        "attention": (_AUTO, *_KERNELS_BY_DEVICE[device.name]) if has_attention else (),
        "compile": ("off", *_COMPILE_MODES[device.name]),
        "keep_memory": (True, False) if on_cpu and devices.has_glibc() else (),
        "fused": () if recipe.optimizer == "adamw8bit" else (True, False),
        **({} if on_cpu else rows),
    }


def _worker_counts(batch_rows: int) -> tuple[int, ...]:
    """One pass by all threads, 2 workers, 4 ... while there are threads and rows for them."""
    most = min(devices.default_threads(), batch_rows)
    if most < 2 or not workers.are_possible():
        return ()
    return tuple(2**n for n in range(most.bit_length()))


def _thread_counts() -> tuple[int, ...]:
    """All threads, half of them …; none to try where OMP_NUM_THREADS is set."""
    if os.environ.get("OMP_NUM_THREADS"):
        return ()
    return common.halves(devices.default_threads())[:_MAX_THREAD_COUNTS]
