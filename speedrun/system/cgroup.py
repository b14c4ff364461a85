"""Limits that a container or a service manager puts on this process: Linux control groups.

Version 1 has a tree for each controller, version 2 one for all. A limit of any group up to the
root of the tree holds.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60  # version 1 writes no limit as the largest number of pages


def cpu_quota() -> float | None:
    """Processors' worth of time that this process may use; None where there is no quota."""
    found = []
    for folder in _folders("cpu"):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text("utf-8").split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text("utf-8")
                period = (folder / "cpu.cfs_period_us").read_text("utf-8")
            if float(quota) > 0:  # ValueError: max; -1: none
                found.append(float(quota) / float(period))
    return min(found, default=None)


def memory_limit() -> int | None:
    """Bytes that this process and the others of its groups may use; None without a limit."""
    return min((limit for limit, _ in _memory()), default=None)


def memory_free() -> int | None:
    """Bytes that the groups may still take; pages of files are given up for them."""
    return min((limit - used for limit, used in _memory()), default=None)


def _memory() -> Iterator[tuple[int, int]]:
    """Limit and use of each group that has a limit."""
    for folder in _folders("memory"):
        uses = _number(folder / "memory.current", folder / "memory.usage_in_bytes") or 0
        stat = _stat(folder / "memory.stat")
        uses -= stat.get("total_inactive_file", stat.get("inactive_file", 0))
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            limit = _number(folder / name)
            if limit is not None and limit < _UNLIMITED:
                yield limit, max(0, uses)


def _folders(controller: str) -> Iterator[Path]:
    """The groups of this process under a controller, innermost first.

    In a container the path may be that of the host, while only the own group is mounted.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in MEMBERSHIP.read_text("utf-8").splitlines():
            _, names, path = line.split(":", 2)
            if names and controller not in names.split(","):
                continue
            mounts = [ROOT / names, ROOT / controller] if names else [ROOT, ROOT / "unified"]
            parts = [part for part in path.split("/") if part not in ("", "..")]
            for mount in filter(Path.is_dir, mounts):
                for length in range(len(parts), -1, -1):
                    yield mount.joinpath(*parts[:length])


def _number(*paths: Path) -> int | None:
    """The number in the first of these files that has one."""
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text("utf-8"))
    return None


def _stat(path: Path) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        return {name: int(value) for name, value in map(str.split, path.open(encoding="utf-8"))}
    return {}
