"""Hardware classes."""

import pytest

from speedrun.system import hardware
from speedrun.system.hardware import Machine, hardware_class


def machine(**change) -> Machine:
    facts = {"cpu": "Some CPU", "arch": "x86_64", "cores": 2, "memory_bytes": 1, "features": ()}
    return Machine(**{**facts, **change})


@pytest.mark.parametrize(
    ("features", "name"),
    [
        (("amx", "avx512"), "cpu-x86_64-2c-amx"),
        (("avx512", "avx2"), "cpu-x86_64-2c-avx512"),
        ((), "cpu-x86_64-2c"),
    ],
)
def test_a_processor_is_named_by_cores_and_best_extension(features, name, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert hardware_class(machine(features=features), "cpu") == name


@pytest.mark.parametrize(
    ("accelerator", "name"),
    [
        ("NVIDIA H200", "cuda-h200"),
        ("NVIDIA A100-SXM4-80GB", "cuda-a100"),
        ("NVIDIA GeForce RTX 4090", "cuda-rtx-4090"),
        ("Tesla T4", "cuda-t4"),
    ],
)
def test_a_card_is_named_by_its_model(accelerator, name):
    assert hardware_class(machine(), "cuda", accelerator) == name


def test_several_devices_are_a_class_of_their_own():
    assert hardware_class(machine(), "cuda", "NVIDIA H200", 8) == "cuda-h200-x8"


def test_apple_machines_are_named_by_chip(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert hardware_class(machine(cpu="Apple M3 Max", arch="arm64"), "cpu") == "apple-m3-max"


def test_this_machine_has_a_name():
    here = hardware.machine()
    assert here.cores >= 1 and here.memory_bytes > 1 << 28
    assert " " not in hardware_class(here, "cpu")
