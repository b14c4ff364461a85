"""Facts about this machine: processor, memory, operating system, load."""

import functools
import math
import os
import platform
import re
from dataclasses import dataclass

import cpuinfo
import psutil

from speedrun.system import cgroup

_FEATURES = ("amx", "avx512_bf16", "avx512", "avx2", "sve", "neon")  # the fastest first


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Processor and main memory of a machine."""

    cpu: str
    arch: str
    cores: int
    memory_bytes: int
    features: tuple[str, ...]  # the vector and matrix extensions that decide speed


def machine() -> Machine:
    """Read the facts of this machine."""
    info = _cpu_info()
    flags = " ".join(info.get("flags", []))
    return Machine(
        cpu=info.get("brand_raw") or platform.processor() or "unknown processor",
        arch=platform.machine().lower().replace("amd64", "x86_64"),
        cores=usable_cores(),
        memory_bytes=memory_bytes(),
        features=tuple(feature for feature in _FEATURES if feature in flags),
    )


_cpu_info = functools.cache(cpuinfo.get_cpu_info)  # asks in a process of its own each time


def usable_cores() -> int:
    """Number of physical cores, or fewer where this process is confined to some or has a quota.

    A quota counts whole cores, rounded up: no machine is faster than its class says.
    """
    quota = cgroup.cpu_quota()
    return _cores() if quota is None else max(1, min(_cores(), math.ceil(quota)))


def _cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, psutil.cpu_count(logical=False) or allowed or 1)


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
    train one model are a class of their own: `cuda-h200-x8`.
    """
    if device == "cuda":
        name = (accelerator or "gpu").lower()
        name = re.sub(r"nvidia|geforce|tesla|graphics|\b\d+gb\b|hbm\d\w*|pcie|sxm\d*", " ", name)
        name = "cuda-" + _slug(name)
    elif platform.system() == "Darwin" and machine.arch == "arm64":
        name = _slug(machine.cpu.lower())
    else:
        name = _slug("-".join(("cpu", machine.arch, f"{machine.cores}c", *machine.features[:1])))
    return name if num_devices == 1 else f"{name}-x{num_devices}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text).strip("-")


def load_per_core() -> float | None:
    """One-minute load average divided by the usable cores; None where there is none."""
    return os.getloadavg()[0] / usable_cores() if hasattr(os, "getloadavg") else None
