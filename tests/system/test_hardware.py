"""Hardware classes."""

import pytest

from speedrun.system import hardware
from speedrun.system.hardware import Machine, hardware_class

PLAIN = {"cpu": "Some CPU", "arch": "x86_64", "cores": 2, "memory_bytes": 1, "features": ()}
APPLE = {"cpu": "Apple M3 Max", "arch": "arm64"}


@pytest.mark.parametrize(
    ("system", "facts", "device", "name"),
    [
        ("Linux", {"features": ("amx", "avx512")}, ("cpu",), "cpu-x86_64-2c-amx"),
        ("Linux", {"features": ("avx512", "avx2")}, ("cpu",), "cpu-x86_64-2c-avx512"),
        ("Linux", {}, ("cpu",), "cpu-x86_64-2c"),
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


def test_this_machine_has_a_name():
    here = hardware.machine()
    assert here.cores >= 1 and here.memory_bytes > 1 << 28
    assert " " not in hardware_class(here, "cpu")
