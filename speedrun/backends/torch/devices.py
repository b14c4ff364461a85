"""PyTorch's devices: one row each, with everything that differs between them."""

import ctypes
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from speedrun.backends import common
from speedrun.device import Device, ExecutionConfig
from speedrun.system import hardware

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class DeviceRow:
    """PyTorch's functions that differ from device to device."""

    name: str
    priority: int
    is_available: Callable[[], bool]
    missing: str
    describe: Callable[[], tuple[str, str | None, int]]  # detail, accelerator, memory in bytes
    precisions: Callable[[], tuple[str, ...]]
    synchronize: Callable[[], None]
    peak_bytes: Callable[[], int]
    free_bytes: Callable[[], int]
    # Called before the first large allocation; returns facts for the record.
    prepare: Callable[[ExecutionConfig], dict[str, bool]]
    warnings: Callable[[], tuple[str, ...]] = tuple
    shared: str | None = None  # see Device
    # Modules with `get_rng_state` and `set_rng_state`, of generators that a step may draw from.
    random: tuple[Any, ...] = (torch.random,)

    def random_states(self) -> list[list[int]]:
        """States of these generators."""
        return [module.get_rng_state().tolist() for module in self.random]

    def restore_random(self, states: Sequence[Sequence[int]]) -> None:
        """Set these generators."""
        for module, state in zip(self.random, states, strict=True):
            module.set_rng_state(torch.tensor(state, dtype=torch.uint8))


def _cuda_describe() -> tuple[str, str | None, int]:
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return f"CUDA {torch.version.cuda}", properties.name, properties.total_memory


def _cuda_uuid() -> str | None:
    """None for AMD's GPUs, which PyTorch calls cuda, too."""
    if torch.version.hip is not None:
        return None
    return f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"


def _cuda_precisions() -> tuple[str, ...]:
    # Emulated bf16 (before Ampere) is slower than fp32.
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return ("fp32", "bf16", "fp16") if native else ("fp32", "fp16")


def _mps_describe() -> tuple[str, str | None, int]:
    memory = torch.mps.recommended_max_memory()
    return "Metal Performance Shaders", platform.processor() or "Apple GPU", memory


def _mps_warnings() -> tuple[str, ...]:
    if os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK", "0") in ("", "0"):
        return ()
    return (
        "PYTORCH_ENABLE_MPS_FALLBACK is set: operations missing on MPS run on the processor,"
        " slowly and without a warning; unset it to see which they are",
    )


def _cpu_describe() -> tuple[str, str | None, int]:
    capability = torch.backends.cpu.get_cpu_capability()
    detail = f"{torch.get_num_threads()} threads, {capability} kernels"
    return detail, None, hardware.memory_bytes()


@cache
def has_glibc() -> bool:
    """Whether the allocator is glibc's."""
    return platform.libc_ver()[0] == "glibc"


def _set_allocator(execution: ExecutionConfig) -> dict[str, bool]:
    """Have glibc keep large blocks: returning them costs page faults at every step.

    With `keep_memory` off it gets the limits that it would reach by itself as blocks are freed.
    """
    if not has_glibc():
        return {"allocator_keeps_memory": False}
    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
    libc = ctypes.CDLL(None)
    keeps = execution.keep_memory is not False
    mmap, trim, pad = (1 << 30, 2**31 - 1, 64 << 20) if keeps else (32 << 20, 64 << 20, 128 << 10)
    wanted = ((M_MMAP_THRESHOLD, mmap), (M_TRIM_THRESHOLD, trim), (M_TOP_PAD, pad))
    is_set = all(libc.mallopt(key, value) for key, value in wanted)
    return {"allocator_keeps_memory": keeps and is_set}


ROWS = (
    DeviceRow(
        name="cuda",
        priority=30,
        is_available=torch.cuda.is_available,
        missing="this PyTorch sees no CUDA device: with an NVIDIA GPU install a CUDA build of it,"
        " see pytorch.org/get-started/locally",
        describe=_cuda_describe,
        precisions=_cuda_precisions,
        synchronize=lambda: torch.cuda.synchronize(),
        peak_bytes=lambda: torch.cuda.max_memory_reserved(),
        free_bytes=lambda: torch.cuda.mem_get_info()[0],
        prepare=lambda execution: {},
        random=(torch.random, torch.cuda),
    ),
    DeviceRow(
        name="mps",
        priority=20,
        is_available=torch.backends.mps.is_available,
        missing="no Apple GPU, or a PyTorch built without it",
        describe=_mps_describe,
        precisions=lambda: ("fp32", "bf16", "fp16"),
        synchronize=lambda: torch.mps.synchronize(),
        peak_bytes=lambda: torch.mps.driver_allocated_memory(),
        free_bytes=lambda: min(
            torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory(),
            hardware.free_memory_bytes(),
        ),
        prepare=lambda execution: {"mps_fallback_to_cpu": bool(_mps_warnings())},
        warnings=_mps_warnings,
        shared="apple-gpu",
        random=(torch.random, torch.mps),
    ),
    DeviceRow(
        name="cpu",
        priority=10,
        is_available=lambda: True,
        missing="",
        describe=_cpu_describe,
        precisions=lambda: ("fp32", "bf16"),
        synchronize=lambda: None,
        peak_bytes=common.peak_resident_bytes,
        free_bytes=hardware.free_memory_bytes,
        prepare=_set_allocator,
    ),
)


def row(name: str) -> DeviceRow:
    """The row of a device by its name."""
    return next(row for row in ROWS if row.name == name)


@cache
def default_threads() -> int:
    """Threads that PyTorch took by itself, or fewer under a quota; whatever was set later."""
    taken = torch.get_num_threads()
    return taken if "OMP_NUM_THREADS" in os.environ else min(taken, hardware.usable_cores())


def prepare(name: str, execution: ExecutionConfig) -> dict[str, Any]:
    """Set threads and allocator, which the whole process shares; facts for the record."""
    wanted = execution.num_threads or default_threads()
    if wanted != torch.get_num_threads():
        torch.set_num_threads(wanted)
    return dict(row(name).prepare(execution))


def found() -> Sequence[Device]:
    """Every row as the harness sees it, with the reason where it is not available."""
    if default_threads() < torch.get_num_threads():
        torch.set_num_threads(default_threads())
    return [_device(row) for row in ROWS]


def _device(row: DeviceRow) -> Device:
    if not row.is_available():
        return Device(name=row.name, backend="torch", available=False, detail=row.missing)
    detail, accelerator, memory_bytes = row.describe()
    return Device(
        name=row.name,
        backend="torch",
        available=True,
        detail=detail,
        accelerator=accelerator,
        uuid=_cuda_uuid() if row.name == "cuda" else None,
        memory_bytes=memory_bytes,
        precisions=row.precisions(),
        priority=row.priority,
        shared=row.shared,
        warnings=row.warnings(),
    )


@cache
def matmul_gflops(name: str, precision: str) -> float | None:
    """Measured rate of matrix products in GFLOP/s; None where the precision does not exist.

    None, too, for bf16 on a processor that has no products of it, whose rate takes long to measure.
    """
    if precision not in row(name).precisions():
        return None
    if name == "cpu" and precision == "bf16" and not hardware.may_multiply_bf16():
        return None
    return common.best_gflops(_multiplier(name, precision))


def sustained_gflops(name: str) -> Callable[[], float | None]:
    """A function that measures the usual rate of fp32 products in GFLOP/s for a while."""
    return common.sustained_gflops(_multiplier(name, "fp32"))


def _multiplier(name: str, precision: str) -> Callable[[int], Callable[[], None]]:
    device_row = row(name)

    def multiplier(size: int) -> Callable[[], None]:
        a, b = (torch.randn(size, size, device=name).to(DTYPES[precision]) for _ in range(2))
        device_row.synchronize()

        def multiply() -> None:
            torch.mm(a, b)
            device_row.synchronize()

        return multiply

    return multiplier
