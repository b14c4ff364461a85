"""Made-up trees of /sys with sensors of energy and heat, and a library for GPUs."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


def write(folder: Path, **values: object) -> Path:
    """A folder with a file for each value."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n", encoding="utf-8")
    return folder


def rapl(sysfs: Path, number: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    """A counter of energy: "0" is a package, "0:1" a part of it. Skips a test where none can be."""
    if os.name == "nt":
        pytest.skip("a name of RAPL's has a colon, which no file of Windows has")
    folder = sysfs / "class" / "powercap" / f"intel-rapl:{number}"
    return write(folder, name=name, energy_uj=energy_uj, max_energy_range_uj=range_uj)


def battery(sysfs: Path, name: str = "BAT0", **values: object) -> Path:
    """A battery that drains, unless values say otherwise."""
    folder = sysfs / "class" / "power_supply" / name
    return write(folder, **{"type": "Battery", "status": "Discharging", **values})


def thermometer(sysfs: Path, number: int, name: str, millidegrees: int) -> Path:
    """A sensor of temperature."""
    folder = sysfs / "class" / "hwmon" / f"hwmon{number}"
    return write(folder, name=name, temp1_input=millidegrees)


def throttle(sysfs: Path, cpu: int, **values: object) -> Path:
    """Counters of a processor that was slowed for heat."""
    folder = sysfs / "devices" / "system" / "cpu" / f"cpu{cpu}" / "thermal_throttle"
    return write(folder, **values)


class Now:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


class FakeNvml:
    """The functions of pynvml that we call; boards by id, a value that is None is not supported."""

    class NVMLError(Exception):
        """The library's error."""

    def __init__(self, **boards: dict[str, Any]) -> None:
        self.boards = {id.replace("_", "-"): SimpleNamespace(**b) for id, b in boards.items()}
        self.init_error: str | None = None

    def nvmlInit(self) -> None:
        if self.init_error:
            raise self.NVMLError(self.init_error)

    def nvmlDeviceGetHandleByUUID(self, id: str) -> SimpleNamespace:
        if id not in self.boards:
            raise self.NVMLError("Not Found")
        return self.boards[id]

    def _value(self, board: SimpleNamespace, name: str) -> Any:
        if (value := getattr(board, name, None)) is None:
            raise self.NVMLError("Not Supported")
        return value

    def nvmlDeviceGetTotalEnergyConsumption(self, board: SimpleNamespace) -> int:
        return self._value(board, "mj")

    def nvmlDeviceGetPowerUsage(self, board: SimpleNamespace) -> int:
        return self._value(board, "mw")

    def nvmlDeviceGetTemperature(self, board: SimpleNamespace, sensor: int) -> int:
        assert sensor == 0
        return self._value(board, "celsius")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, board: SimpleNamespace) -> int:
        return self._value(board, "reasons")
