"""Hardware classes, and the limits of containers."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from speedrun.system import cgroup, hardware
from speedrun.system.hardware import Machine, hardware_class

PLAIN = {"cpu": "Some CPU", "arch": "x86_64", "cores": 2, "memory_bytes": 1, "features": ()}
APPLE = {"cpu": "Apple M3 Max", "arch": "arm64"}


@pytest.mark.parametrize(
    ("system", "facts", "device", "name"),
    [
        ("Linux", {"features": ("amx", "avx512")}, ("cpu",), "cpu-x86_64-2c-amx"),
        ("Linux", {"features": ("avx512", "avx2")}, ("cpu",), "cpu-x86_64-2c-avx512"),
        ("Linux", {}, ("cpu",), "cpu-x86_64-2c"),
        ("Linux", {"cpu_quota": 1.5, "memory_limit": 4 << 30}, ("cpu",), "cpu-x86_64-2c-q1.5-m4g"),
        ("Linux", {"cpu_quota": 0.25, "cores": 1}, ("cpu",), "cpu-x86_64-1c-q0.25"),
        ("Linux", {"cpu_quota": 2.0, "physical_cores": 8}, ("cpu",), "cpu-x86_64-2c"),
        ("Linux", {"memory_limit": 1 << 20}, ("cpu",), "cpu-x86_64-2c-m1g"),
        ("Linux", {"arch": "aarch64", "features": ("neon",)}, ("cpu",), "cpu-aarch64-2c-neon"),
        ("Linux", {"memory_limit": 4 << 30}, ("cuda", "NVIDIA H200"), "cuda-h200"),
        ("Linux", {}, ("cuda", "NVIDIA H200"), "cuda-h200"),
        ("Linux", {}, ("cuda", "NVIDIA H200", 8), "cuda-h200-x8"),
        ("Linux", {}, ("cuda", "NVIDIA A100-SXM4-80GB"), "cuda-a100"),
        ("Linux", {}, ("cuda", "NVIDIA GeForce RTX 4090"), "cuda-rtx-4090"),
        ("Linux", {}, ("cuda", "Tesla T4"), "cuda-t4"),
        ("Darwin", APPLE, ("cpu",), "apple-m3-max"),
    ],
)
def test_machines_are_named_by_their_parts(system, facts, device, name, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: system)
    assert hardware_class(Machine(**{**PLAIN, **facts}), *device) == name


@pytest.mark.parametrize(
    ("arch", "flags", "features"),
    [
        ("AMD64", "sse2 avx2", ["avx2"]),
        ("x86_64", "avx2 avx512f avx512_vnni", ["avx512", "avx2"]),
        ("x86_64", "avx2 avx512f avx512_bf16", ["avx512_bf16", "avx512", "avx2"]),
        (
            *("x86_64", "avx2 avx512f avx512_bf16 amx_tile amx_int8"),
            ["amx", "avx512_bf16", "avx512", "avx2"],
        ),
        ("x86_64", "sse4_2", []),
        ("aarch64", "fp asimd", ["neon"]),
        ("aarch64", "fp asimd sve", ["sve", "neon"]),
        ("aarch64", "fp asimd sve sve2 svebf16", ["sve2", "sve", "neon"]),
        ("arm64", "", ["neon"]),  # macOS lists none
    ],
)
def test_generations_are_told_by_their_instructions(arch, flags, features, monkeypatch):
    monkeypatch.setattr(hardware, "_cpu_info", lambda: {"flags": flags.split()})
    monkeypatch.setattr("platform.machine", lambda: arch)
    assert list(hardware.machine().features) == features


@pytest.mark.parametrize(
    ("system", "flags", "may"),
    [
        ("Linux", "sse2 avx2 avx512f avx512_vnni", False),
        ("Linux", "sse2 avx2 avx512f avx512_bf16", True),
        ("Linux", "sse2 avx2 amx_tile amx_bf16", True),
        ("Linux", "fp asimd bf16", True),  # no x86: measured
        ("Linux", "", True),
        ("Windows", "sse2 avx2", True),  # where newer flags are not listed
    ],
)
def test_flags_say_where_bf16_need_not_be_measured(system, flags, may, monkeypatch):
    monkeypatch.setattr(hardware, "_cpu_info", lambda: {"flags": flags.split()})
    monkeypatch.setattr("platform.system", lambda: system)
    assert hardware.may_multiply_bf16() is may


@pytest.mark.parametrize(
    ("allowed", "siblings", "cores"),
    [
        ([0, 1], {0: "0-1", 1: "0-1"}, 1),  # two threads of one core
        ([0, 1], {0: "0,2", 1: "1,3"}, 2),
        ([0, 1, 2, 3], {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, 2),
        ([0, 2], {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, 1),  # confined to one core's threads
        ([1], {0: "0", 1: "1"}, 1),
        ([0, 1, 2], {}, 2),  # not told: as many as the whole machine has, at most
    ],
)
def test_two_threads_of_a_core_are_one_core(allowed, siblings, cores, tmp_path, monkeypatch):
    for cpu, text in siblings.items():
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{text}\n")
    monkeypatch.setattr(hardware, "TOPOLOGY", tmp_path)
    monkeypatch.setattr(hardware, "allowed_cpus", lambda: allowed)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 4 if logical else 2)
    monkeypatch.setattr(cgroup, "cpu_quota", lambda: None)
    assert hardware.machine().physical_cores == hardware.usable_cores() == cores
    for quota, usable in ((0.5, 1), (cores - 0.5, cores), (cores + 1.0, cores)):
        monkeypatch.setattr(cgroup, "cpu_quota", lambda quota=quota: quota)
        assert hardware.usable_cores() == usable
        assert hardware.machine().cpu_quota == (quota if quota < cores else None)


def test_this_machine_has_a_name():
    here = hardware.machine()
    assert here.cores >= 1 and here.memory_bytes > 1 << 28
    assert " " not in hardware_class(here, "cpu")


GIB = 1 << 30
ONE = "1:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n0::/\n"
TWO = "0::/user.slice/job\n"
# Lines of /proc/self/cgroup, files of the file system of groups, processors' time, bytes.
GROUPS: dict[str, tuple[str, dict[str, str], float | None, int | None]] = {
    "none": (TWO, {"user.slice/job/cpu.max": "max 100000", "memory.max": "max"}, None, None),
    "version 2": (
        TWO,
        {"user.slice/job/cpu.max": "150000 100000", "user.slice/job/memory.max": f"{2 * GIB}"},
        *(1.5, 2 * GIB),
    ),
    "the group above is smaller": (
        TWO,
        {"user.slice/job/cpu.max": "max 100000", "user.slice/cpu.max": "50000 100000"},
        *(0.5, None),
    ),
    "only the own group is mounted": ("0::/../../ab\n", {"cpu.max": "100000 100000"}, 1.0, None),
    "throttled before the limit": (
        TWO,
        {"user.slice/job/memory.max": f"{2 * GIB}", "user.slice/memory.high": f"{GIB}"},
        *(None, GIB),
    ),
    "version 1": (
        ONE,
        {
            "cpu,cpuacct/docker/ab/cpu.cfs_quota_us": "200000",
            "cpu,cpuacct/docker/ab/cpu.cfs_period_us": "100000",
            "memory/docker/ab/memory.limit_in_bytes": f"{GIB}",
        },
        *(2.0, GIB),
    ),
    "version 1 in a container": (
        ONE,
        {
            "cpu/cpu.cfs_quota_us": "100000",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": f"{GIB}",
        },
        *(1.0, GIB),
    ),
    "version 1 without limits": (
        ONE,
        {
            "cpu/docker/ab/cpu.cfs_quota_us": "-1",
            "cpu/docker/ab/cpu.cfs_period_us": "100000",
            "memory/docker/ab/memory.limit_in_bytes": "9223372036854771712",
        },
        *(None, None),
    ),
    "not to be read": (TWO, {"cpu.max": "nonsense", "memory.max": ""}, None, None),
}


def make_groups(tmp_path: Path, monkeypatch, membership: str, files: dict[str, str]) -> None:
    root = tmp_path / "fs"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    (tmp_path / "membership").write_text(membership)
    monkeypatch.setattr(cgroup, "ROOT", root)
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "membership")


@pytest.mark.parametrize("case", GROUPS)
def test_limits_of_control_groups_are_read(tmp_path, monkeypatch, case):
    membership, files, quota, limit = GROUPS[case]
    make_groups(tmp_path, monkeypatch, membership, files)
    assert (cgroup.cpu_quota(), cgroup.memory_limit()) == (quota, limit)


def test_a_limited_machine_is_as_small_as_its_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_cores", lambda: 4)
    files = {"user.slice/job/cpu.max": "150000 100000", "user.slice/memory.max": f"{GIB // 2}"}
    files |= {"user.slice/memory.current": f"{GIB // 4}", "user.slice/memory.stat": "file 9"}
    files["user.slice/memory.stat"] = f"file 9\ninactive_file {GIB // 8}"
    make_groups(tmp_path, monkeypatch, TWO, files)
    here = hardware.machine()
    assert (here.cores, here.memory_bytes) == (2, GIB // 2)
    assert hardware.free_memory_bytes() == GIB // 2 - GIB // 4 + GIB // 8
    total = f"{psutil.virtual_memory().total / GIB:.1f}"
    assert hardware.limits() == (
        f"limited to 1.5 of 4 cores and 0.5 of {total} GiB of memory by the quota of a control"
        " group"
    )
    assert (here.physical_cores, here.cpu_quota, here.memory_limit) == (4, 1.5, GIB // 2)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert "-2c" in (name := hardware_class(here, "cpu")) and name.endswith("-q1.5-m1g")


def test_a_machine_without_control_groups_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "none")
    assert hardware.limits() is None and hardware.usable_cores() == hardware._cores()
    assert hardware.memory_bytes() == psutil.virtual_memory().total


@pytest.mark.slow
def test_threads_follow_the_quota(tmp_path):
    """In a process of its own: the number is read once."""
    pytest.importorskip("torch")
    script = """
import os
os.environ.pop("OMP_NUM_THREADS", None)
import torch
torch.set_num_threads(4)
from speedrun.backends import registry
from speedrun.system import hardware
hardware.usable_cores = lambda: 1
print(registry.device("cpu").detail, torch.get_num_threads())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.startswith("1 threads") and done.stdout.endswith(" 1\n"), done.stderr
