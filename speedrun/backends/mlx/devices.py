"""The device that MLX computes on here, its limits and its rate."""

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import mlx.core as mx

from speedrun.backends import common
from speedrun.device import Device
from speedrun.system import hardware

DTYPES = {"fp32": mx.float32, "bf16": mx.bfloat16, "fp16": mx.float16}
# Shares of what MLX may use: the cache gives way before the limit is reached.
_LIMIT_SHARE, _CACHE_SHARE = 0.95, 0.5
_WIRED_SINCE = 15  # macOS


def found() -> Device:
    """MLX's default device."""
    has_gpu, is_apple = mx.is_available(mx.gpu), platform.system() == "Darwin"
    kind = ("Metal" if is_apple else "CUDA") if has_gpu else "processor (no Apple GPU)"
    return Device(
        name="mlx",
        backend="mlx",
        available=True,
        detail=f"{kind}, memory limit {_LIMIT_SHARE * _memory_bytes() / 2**30:.1f} GiB",
        accelerator=str(mx.device_info().get("device_name", "GPU")) if has_gpu else None,
        memory_bytes=_memory_bytes(),
        precisions=tuple(DTYPES),
        priority=21 if has_gpu and is_apple else 5,
        shared="apple-gpu" if has_gpu and is_apple else None,
    )


def _memory_bytes() -> int:
    """Memory that MLX may use: on Apple silicon the GPU's part of the machine's memory."""
    info = mx.device_info()
    keys = ("max_recommended_working_set_size", "memory_size", "total_memory")
    return next((int(info[key]) for key in keys if key in info), hardware.memory_bytes())


def free_bytes() -> int:
    """Memory that MLX could still take; on Apple silicon GPU and processor share it."""
    left = _memory_bytes() - mx.get_active_memory()
    is_shared = platform.system() == "Darwin" or not mx.is_available(mx.gpu)
    return min(left, hardware.free_memory_bytes()) if is_shared else left


@cache
def prepare() -> dict[str, Any]:
    """Set memory limits once, before the first large allocation; facts for the record, in bytes."""
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
    """Whether compiling pays here; facts for the record.

    On the processor MLX hands every fused kernel to a C++ compiler: a minute for a small model,
    and no faster afterwards (measured on two cores, MLX 0.32).
    """
    if mx.is_available(mx.gpu):
        return {"compiled": True}
    return {"compiled": False, "compile_skipped": "gains nothing on the processor"}


def peak_bytes() -> int:
    """Peak active bytes plus cached bytes."""
    return mx.get_peak_memory() + mx.get_cache_memory()


@cache
def matmul_gflops(precision: str) -> float | None:
    """Measured rate of matrix products in GFLOP/s; None where the precision does not exist."""
    return common.best_gflops(_multiplier(precision)) if precision in DTYPES else None


def sustained_gflops() -> Callable[[], float | None]:
    """A function that measures the usual rate of fp32 products in GFLOP/s for a while."""
    return common.sustained_gflops(_multiplier("fp32"))


def _multiplier(precision: str) -> Callable[[int], Callable[[], None]]:
    def multiplier(size: int) -> Callable[[], None]:
        a, b = (mx.random.normal((size, size)).astype(DTYPES[precision]) for _ in range(2))
        mx.eval(a, b)
        return lambda: mx.eval(a @ b)

    return multiplier
