"""Facts about this machine: processor, memory, operating system, load."""

import contextlib
import functools
import math
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import cpuinfo
import psutil

from speedrun.system import cgroup

# Vector and matrix extensions, the fastest first, and how the flags of a processor begin with
# them. They tell the generations of processors of one architecture apart.
_FEATURES = {
    "amx": ("amx",),
    "avx512_bf16": ("avx512_bf16", "avx512bf16"),
    "avx512": ("avx512",),
    "avx2": ("avx2",),
    "sve2": ("sve2",),
    "sve": ("sve",),
    "neon": ("asimd", "neon"),
}
_BF16 = ("avx512_bf16", "amx_bf16", "avx10_2")  # flags of x86
TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Processor and main memory of a machine, as far as this process may use them."""

    cpu: str
    arch: str
    cores: int  # usable at once, see `usable_cores`
    memory_bytes: int
    features: tuple[str, ...]  # the vector and matrix extensions that decide speed
    physical_cores: int = 1  # that this process may run on
    cpu_quota: float | None = None  # processors' worth of time; None: no quota, or a larger one
    memory_limit: int | None = None  # bytes; None: no limit below the machine's memory


def machine() -> Machine:
    """Read the facts of this machine."""
    info = _cpu_info()
    arch = platform.machine().lower().replace("amd64", "x86_64")
    flags = [*info.get("flags", []), *(["neon"] if arch in ("arm64", "aarch64") else [])]
    return Machine(
        cpu=info.get("brand_raw") or platform.processor() or "unknown processor",
        arch=arch,
        cores=usable_cores(),
        memory_bytes=memory_bytes(),
        features=tuple(
            name
            for name, starts in _FEATURES.items()
            if any(flag.startswith(starts) for flag in flags)
        ),
        physical_cores=_cores(),
        cpu_quota=_quota(),
        memory_limit=memory_bytes() if memory_bytes() < psutil.virtual_memory().total else None,
    )


_cpu_info = functools.cache(cpuinfo.get_cpu_info)  # asks in a process of its own each time


def may_multiply_bf16() -> bool:
    """Whether the processor may have bf16 products; False where its instruction set says not.

    Only the flags that Linux lists for x86 are complete: elsewhere a measurement must decide.
    """
    flags = _cpu_info().get("flags", [])
    if platform.system() != "Linux" or "sse2" not in flags:
        return True
    return any(flag.startswith(_BF16) for flag in flags)


def usable_cores() -> int:
    """Number of physical cores, or fewer where this process is confined to some or has a quota.

    A quota counts whole cores, rounded up: no machine is faster than its class says.
    """
    quota = _quota()
    return _cores() if quota is None else max(1, math.ceil(quota))


def _quota() -> float | None:
    quota = cgroup.cpu_quota()
    return quota if quota is not None and quota < _cores() else None


def allowed_cpus() -> list[int]:
    """Numbers of the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _cores() -> int:
    """Physical cores under the allowed processors: two threads of one core are one."""
    allowed = allowed_cpus()
    cores = {_siblings(cpu) for cpu in allowed}
    if None not in cores:
        return len(cores)
    return min(len(allowed), psutil.cpu_count(logical=False) or len(allowed))


def _siblings(cpu: int) -> str | None:
    """The processors that share a core with this one, as Linux writes them; None elsewhere."""
    with contextlib.suppress(OSError, ValueError):
        return (
            (TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list")
            .read_text("utf-8")
            .strip()
        )
    return None


def memory_bytes() -> int:
    """Main memory that this process may use, within the limit of its container."""
    total, limit = psutil.virtual_memory().total, cgroup.memory_limit()
    return total if limit is None else min(total, limit)


def free_memory_bytes() -> int:
    """Main memory that this process may still take."""
    free, allowed = psutil.virtual_memory().available, cgroup.memory_free()
    return free if allowed is None else min(free, allowed)


def limits() -> str | None:
    """The limits of a container that make this machine smaller, for a person; None without."""
    parts, total = [], psutil.virtual_memory().total
    if usable_cores() < _cores():
        parts.append(f"{cgroup.cpu_quota():.3g} of {_cores()} cores")
    if memory_bytes() < total:
        parts.append(f"{memory_bytes() / 2**30:.1f} of {total / 2**30:.1f} GiB of memory")
    return f"limited to {' and '.join(parts)} by the quota of a control group" if parts else None


def hardware_class(
    machine: Machine, device: str, accelerator: str | None = None, num_devices: int = 1
) -> str:
    """Name of the hardware class: `cpu-x86_64-2c-amx`, `apple-m3-max`, `cuda-h200`.

    `device` is a device's name and `accelerator` the model of its card. Several devices that
    train one model are a class of their own, `cuda-h200-x8`, and so are a fraction of a core and
    limited memory on the processor: `cpu-x86_64-2c-avx2-q1.5-m4g`. No measured rate is in it.
    """
    if device == "cuda":
        name = (accelerator or "gpu").lower()
        name = re.sub(r"nvidia|geforce|tesla|graphics|\b\d+gb\b|hbm\d\w*|pcie|sxm\d*", " ", name)
        name = "cuda-" + _slug(name)
    elif platform.system() == "Darwin" and machine.arch == "arm64":
        name = _slug(machine.cpu.lower())
    else:
        name = processor_class(machine)
    return name if num_devices == 1 else f"{name}-x{num_devices}"


def processor_class(machine: Machine) -> str:
    """The class of a machine that trains on its processor."""
    name = _slug("-".join(("cpu", machine.arch, f"{machine.cores}c", *machine.features[:1])))
    if machine.cpu_quota is not None and machine.cpu_quota % 1:
        name += f"-q{machine.cpu_quota:.2g}"
    if machine.memory_limit is not None:
        name += f"-m{max(1, round(machine.memory_limit / 2**30))}g"
    return name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text).strip("-")


def load_per_core() -> float | None:
    """One-minute load average divided by the usable cores; None where there is none."""
    return os.getloadavg()[0] / usable_cores() if hasattr(os, "getloadavg") else None
