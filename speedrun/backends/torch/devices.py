"""What PyTorch can train on here: one row a device, and everything that differs between them."""

import ctypes
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import psutil
import torch

from speedrun.protocols import Device, ExecutionConfig

_PROBE_S = 0.06
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class DeviceRow:
    """The functions of PyTorch that are spelt differently on each device."""

    name: str
    priority: int
    is_available: Callable[[], bool]
    missing: str
    describe: Callable[[], tuple[str, str | None, int]]  # detail, accelerator, memory in bytes
    precisions: Callable[[], tuple[str, ...]]
    synchronize: Callable[[], None]
    peak_bytes: Callable[[], int]
    prepare: Callable[
        [ExecutionConfig], dict[str, bool]
    ]  # before the first large allocation; facts
    warnings: Callable[[], tuple[str, ...]] = tuple
    shared: str | None = None  # see Device


def _cuda_describe() -> tuple[str, str | None, int]:
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return f"CUDA {torch.version.cuda}", properties.name, properties.total_memory


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
        " slowly and without a word; unset it to have them named",
    )


def _cpu_describe() -> tuple[str, str | None, int]:
    capability = torch.backends.cpu.get_cpu_capability()
    detail = f"{torch.get_num_threads()} threads, {capability} kernels"
    return detail, None, psutil.virtual_memory().total


@cache
def has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def _set_allocator(settings: ExecutionConfig) -> dict[str, bool]:
    """Tell glibc to keep large blocks: returning them costs page faults at every step.

    Told not to, it gets the limits that it would move to by itself as large blocks are freed.
    """
    if not has_glibc():
        return {"allocator_keeps_memory": False}
    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
    libc = ctypes.CDLL(None)
    keeps = settings.keep_memory is not False
    mmap, trim, pad = (1 << 30, 2**31 - 1, 64 << 20) if keeps else (32 << 20, 64 << 20, 128 << 10)
    wanted = ((M_MMAP_THRESHOLD, mmap), (M_TRIM_THRESHOLD, trim), (M_TOP_PAD, pad))
    is_set = all(libc.mallopt(key, value) for key, value in wanted)
    return {"allocator_keeps_memory": keeps and is_set}


def _cpu_peak_bytes() -> int:
    """Largest resident size of this process."""
    import resource  # not on Windows, where PyTorch's processor backend is not measured

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


ROWS = (
    DeviceRow(
        name="cuda",
        priority=30,
        is_available=torch.cuda.is_available,
        missing="this PyTorch sees no CUDA device",
        describe=_cuda_describe,
        precisions=_cuda_precisions,
        synchronize=lambda: torch.cuda.synchronize(),
        peak_bytes=lambda: torch.cuda.max_memory_reserved(),
        prepare=lambda settings: {},
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
        prepare=lambda settings: {"mps_fallback_to_cpu": bool(_mps_warnings())},
        warnings=_mps_warnings,
        shared="apple-gpu",
    ),
    DeviceRow(
        name="cpu",
        priority=10,
        is_available=lambda: True,
        missing="",
        describe=_cpu_describe,
        precisions=lambda: ("fp32", "bf16"),
        synchronize=lambda: None,
        peak_bytes=_cpu_peak_bytes,
        prepare=_set_allocator,
    ),
)


def row(name: str) -> DeviceRow:
    return next(row for row in ROWS if row.name == name)


@cache
def default_threads() -> int:
    """How many threads PyTorch took by itself, whatever was set later."""
    return torch.get_num_threads()


def prepare(name: str, settings: ExecutionConfig) -> dict[str, bool]:
    """Set what the whole process shares; facts of it."""
    wanted = settings.num_threads or default_threads()
    if wanted != torch.get_num_threads():
        torch.set_num_threads(wanted)
    return row(name).prepare(settings)


def found() -> Sequence[Device]:
    """Every row as the harness sees it, with the reason where it is not available."""
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
        memory_bytes=memory_bytes,
        precisions=row.precisions(),
        priority=row.priority,
        shared=row.shared,
        warnings=row.warnings(),
    )


@cache
def matmul_gflops(name: str, precision: str) -> float | None:
    """Best measured rate of square matrix products; measured once a process.

    Sizes double until one product would take longer than `_PROBE_S`; where the rate is low
    that is early, so that precisions without kernels cost no more time than fast ones.
    """
    device_row = row(name)
    if precision not in device_row.precisions():
        return None
    best, size = 0.0, 256
    while True:
        a, b = (torch.randn(size, size, device=name).to(DTYPES[precision]) for _ in range(2))
        rate, deadline = 0.0, time.perf_counter() + _PROBE_S
        while time.perf_counter() < deadline or not rate:
            device_row.synchronize()
            start = time.perf_counter()
            torch.mm(a, b)
            device_row.synchronize()
            rate = max(rate, 2e-9 * size**3 / (time.perf_counter() - start))
        best = max(best, rate)
        size *= 2
        if 2e-9 * size**3 / rate > _PROBE_S or size > 8192:
            return best


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch, of whatever class, says that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(s in text for s in ("out of memory", "can't allocate memory", "not enough memory"))
