"""Facts about this machine: what it is called, what it holds, what it runs."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cpuinfo
import psutil

from speedrun.protocols import Device


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The processor side; the accelerator is the device's."""

    cpu: str
    arch: str
    cores: int
    memory_bytes: int
    features: tuple[str, ...]  # the vector and matrix extensions that decide speed


_FEATURES = ("amx", "avx512_bf16", "avx512", "avx2", "sve", "neon")


def machine() -> Machine:
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
    """Cores this process may use: physical ones, or fewer where it is confined."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, psutil.cpu_count(logical=False) or allowed or 1)


def hardware_class(machine: Machine, device: Device, num_devices: int = 1) -> str:
    """The class that results compare in: `cpu-x86_64-2c-amx`, `apple-m3-max`, `cuda-h200`.

    Several devices that train one model are a class of their own: `cuda-h200-x8`.
    """
    several = "" if num_devices == 1 else f"-x{num_devices}"
    return _one_device(machine, device) + several


def _one_device(machine: Machine, device: Device) -> str:
    if device.name == "cuda":
        name = (device.accelerator or "gpu").lower()
        name = re.sub(r"nvidia|geforce|tesla|graphics|\b\d+gb\b|hbm\d\w*|pcie|sxm\d*", " ", name)
        return "cuda-" + _slug(name)
    if platform.system() == "Darwin" and machine.arch == "arm64":
        return _slug(machine.cpu.lower())
    best = machine.features[:1]
    return _slug("-".join(("cpu", machine.arch, f"{machine.cores}c", *best)))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text).strip("-")


def code_version(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the working tree and whether it has changes; None outside a git checkout."""

    def git(*args: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *args], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # A checkout of something else further up is not ours.
    if git("ls-files", "--error-unmatch", "speedrun/telemetry.py") is None:
        return None, None
    status = git("status", "--porcelain")
    return git("rev-parse", "HEAD"), None if status is None else bool(status)


def operating_system() -> str:
    return f"{platform.system()} {platform.release()}"


def python_version() -> str:
    return platform.python_version()


def load_per_core() -> float | None:
    """How busy the machine is: the one-minute load average over the usable cores."""
    return os.getloadavg()[0] / usable_cores() if hasattr(os, "getloadavg") else None
