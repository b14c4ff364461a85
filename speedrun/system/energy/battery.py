"""Power of a laptop that runs on its battery, on Linux."""

from collections.abc import Callable
from pathlib import Path

from speedrun.system.energy.sensor import NotAvailable, number, text


class Battery:
    """Power that the batteries give, summed over time: that of the whole machine."""

    source = "battery"

    def __init__(self, sysfs: Path, now: Callable[[], float]) -> None:
        found = sorted((sysfs / "class" / "power_supply").glob("*"))
        self._batteries = [path for path in found if _is_battery(path)]
        if not self._batteries:
            raise NotAvailable("no battery")
        self._now = now
        self._total = 0.0
        self._last: tuple[float, float] | None = None  # time, watts
        self._watts()
        self.title = "battery"

    def joules(self) -> float:
        """Joules since the first call; NotAvailable once the machine is on mains power."""
        now_s, watts = self._now(), self._watts()
        if self._last is not None:
            self._total += (now_s - self._last[0]) * (watts + self._last[1]) / 2
        self._last = now_s, watts
        return self._total

    def _watts(self) -> float:
        draining = [path for path in self._batteries if text(path / "status") == "Discharging"]
        if not draining:
            raise NotAvailable("the battery is not draining: the machine is on mains power")
        return sum(map(_power, draining))


def _power(battery: Path) -> float:
    """Watts; some drivers give current and voltage, and some count what leaves as negative."""
    try:
        return abs(number(battery / "power_now")) / 1e6
    except NotAvailable:
        micro = abs(number(battery / "current_now")) * number(battery / "voltage_now")
        return micro / 1e12


def _is_battery(path: Path) -> bool:
    """Whether it is one of the machine, not of a mouse."""
    try:
        if text(path / "type") != "Battery":
            return False
        return not (path / "scope").exists() or text(path / "scope") != "Device"
    except NotAvailable:
        return False
