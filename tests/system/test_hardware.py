"""Hardware classes and code versions."""

import subprocess
from pathlib import Path

import pytest

from speedrun.protocols import Device
from speedrun.sweep.grid import Grid
from speedrun.system import hardware
from speedrun.system.hardware import Machine, hardware_class
from speedrun.training.request import RunRequest

ROOT = Path(__file__).resolve().parents[2]
CPU = Device(name="cpu", backend="torch", available=True, detail="")


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
    assert hardware_class(machine(features=features), CPU) == name


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
    card = Device(name="cuda", backend="torch", available=True, detail="", accelerator=accelerator)
    assert hardware_class(machine(), card) == name


def test_several_devices_are_a_class_of_their_own():
    card = Device(
        name="cuda", backend="torch", available=True, detail="", accelerator="NVIDIA H200"
    )
    assert hardware_class(machine(), card, 8) == "cuda-h200-x8"


def test_apple_machines_are_named_by_chip(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert hardware_class(machine(cpu="Apple M3 Max", arch="arm64"), CPU) == "apple-m3-max"


def test_this_machine_has_a_name():
    here = hardware.machine()
    assert here.cores >= 1 and here.memory_bytes > 1 << 28
    assert " " not in hardware_class(here, CPU)


def test_code_outside_a_checkout_has_no_commit(tmp_path):
    assert hardware.code_version(tmp_path) == (None, None)


def test_a_change_makes_the_tree_dirty(tmp_path):
    def git(*args: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *args], check=True)

    (tmp_path / "speedrun").mkdir()
    file = tmp_path / "speedrun" / "telemetry.py"
    file.write_text("1")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    commit, dirty = hardware.code_version(tmp_path)
    assert commit is not None and len(commit) == 40 and dirty is False
    file.write_text("2")
    assert hardware.code_version(tmp_path) == (commit, True)


def test_what_commands_write_by_default_is_no_change_of_the_code():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for folder in (RunRequest.out, Grid.out):
        assert f"{folder.parts[0]}/" in ignored
