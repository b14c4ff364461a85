"""Facts about this machine: processor, memory, operating system, load."""

import os
import platform
import re
from dataclasses import dataclass

import cpuinfo
import psutil

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
    info = cpuinfo.get_cpu_info()
    flags = " ".join(info.get("flags", []))
    return Machine(
        cpu=info.get("brand_raw") or platform.processor() or "unknown processor",
        arch=platform.machine().lower().replace("amd64", "x86_64"),
        cores=usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        features=tuple(feature for feature in _FEATURES if feature in flags),
    )


def usable_cores() -> int:
    """Number of physical cores, or fewer where this process is confined to some."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, psutil.cpu_count(logical=False) or allowed or 1)


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
