"""The device that MLX computes on here, its limits and its rate."""

import platform
import time
from functools import cache
from typing import Any

import mlx.core as mx
import psutil

from speedrun.protocols import Device

_PROBE_S = 0.06
DTYPES = {"fp32": mx.float32, "bf16": mx.bfloat16, "fp16": mx.float16}
# Shares of what MLX may use: the cache gives way before the limit is reached.
_LIMIT_SHARE, _CACHE_SHARE = 0.95, 0.5
_WIRED_SINCE = 15  # macOS


def found() -> Device:
    """The default device as the harness sees it."""
    limit = f"memory limit {_LIMIT_SHARE * _memory_bytes() / 2**30:.1f} GiB"
    if not mx.is_available(mx.gpu):
        return Device(
            name="mlx",
            backend="mlx",
            available=True,
            detail=f"processor (no Apple GPU), {limit}",
            memory_bytes=_memory_bytes(),
            precisions=tuple(DTYPES),
            priority=5,
        )
    is_apple = platform.system() == "Darwin"
    return Device(
        name="mlx",
        backend="mlx",
        available=True,
        detail=f"{'Metal' if is_apple else 'CUDA'}, {limit}",
        accelerator=str(mx.device_info().get("device_name", "GPU")),
        memory_bytes=_memory_bytes(),
        precisions=tuple(DTYPES),
        priority=21 if is_apple else 5,
        shared="apple-gpu" if is_apple else None,
    )


def _memory_bytes() -> int:
    """What MLX may use: on Apple silicon the part of the machine's memory that is the GPU's."""
    info = mx.device_info()
    keys = ("max_recommended_working_set_size", "memory_size", "total_memory")
    return next((int(info[key]) for key in keys if key in info), psutil.virtual_memory().total)


@cache
def prepare() -> dict[str, Any]:
    """Set limits once, before the first large allocation; in bytes, as facts of the record."""
    total_bytes = _memory_bytes()
    limit_bytes, cache_bytes = int(_LIMIT_SHARE * total_bytes), int(_CACHE_SHARE * total_bytes)
    mx.set_memory_limit(limit_bytes)
    mx.set_cache_limit(cache_bytes)
    wired_bytes = None
    version = platform.mac_ver()[0].split(".")[0]
    if mx.is_available(mx.gpu) and version and int(version) >= _WIRED_SINCE:
        wired_bytes = limit_bytes
        mx.set_wired_limit(wired_bytes)
    return {
        "memory_limit_bytes": limit_bytes,
        "cache_limit_bytes": cache_bytes,
        "wired_limit_bytes": wired_bytes,
    }


def compiling() -> dict[str, Any]:
    """Whether compiling pays here, as facts of the record.

    On the processor MLX hands every fused kernel to a C++ compiler: a minute for a small model,
    and no faster afterwards (measured on two cores, MLX 0.32).
    """
    if mx.is_available(mx.gpu):
        return {"compiled": True}
    return {"compiled": False, "compile_skipped": "gains nothing on the processor"}


def peak_bytes() -> int:
    """Most that was in use, and the cache, which nobody else can have either."""
    return mx.get_peak_memory() + mx.get_cache_memory()


@cache
def matmul_gflops(precision: str) -> float | None:
    """Best measured rate of square matrix products; measured once a process.

    Sizes double until one product would take longer than `_PROBE_S`.
    """
    if precision not in DTYPES:
        return None
    best, size = 0.0, 256
    while True:
        a, b = (mx.random.normal((size, size)).astype(DTYPES[precision]) for _ in range(2))
        mx.eval(a, b)
        rate, deadline = 0.0, time.perf_counter() + _PROBE_S
        while time.perf_counter() < deadline or not rate:
            start = time.perf_counter()
            mx.eval(a @ b)
            rate = max(rate, 2e-9 * size**3 / (time.perf_counter() - start))
        best = max(best, rate)
        size *= 2
        if 2e-9 * size**3 / rate > _PROBE_S or size > 8192:
            return best


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of MLX says that memory ran out; it has no class of its own for that.

    GPUs raise it. On the processor MLX 0.32 does not: there the system ends the process.
    """
    text = str(error).lower()
    signs = (
        "out of memory",
        "outofmemory",
        "unable to allocate",
        "insufficient memory",
        "attempting to allocate",
    )
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)
