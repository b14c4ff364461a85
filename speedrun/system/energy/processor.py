"""Energy and heat of processors on Linux: counters of packages, temperatures, throttling."""

from pathlib import Path

from speedrun.system.energy.sensor import NotAvailable, number, text

# Drivers whose first sensor is the temperature of a processor package.
_THERMOMETERS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")


class Rapl:
    """Counters of the processor packages (running average power limit; Intel and AMD).

    A package counts whatever runs on it. Parts of packages and the whole platform, which have
    counters of their own, are in or around the packages and are left out.
    """

    source = "rapl"

    def __init__(self, sysfs: Path) -> None:
        found = sorted((sysfs / "class" / "powercap").glob("intel-rapl:*"))
        packages = [path for path in found if _name(path).startswith("package-")]
        if not packages:
            raise NotAvailable("no energy counter of a processor (RAPL)")
        self._files = [package / "energy_uj" for package in packages]
        try:
            self._ranges = [number(package / "max_energy_range_uj") for package in packages]
            self._last = [number(file) for file in self._files]
        except NotAvailable:
            files = found[0].parent / "intel-rapl:*" / "energy_uj"
            raise NotAvailable(
                "the energy counters of the processor (RAPL) are for root only; until the next"
                f" start `sudo chmod a+r {files}` opens them to every user of the machine"
            ) from None
        self._total_uj = 0
        self._is_begun = False
        self.title = f"RAPL, {len(packages)} package{'s' if len(packages) > 1 else ''}"

    def joules(self) -> float:
        """Joules since the first call; a counter that is behind itself has begun anew."""
        now = [number(file) for file in self._files]
        if self._is_begun:
            for last, value, range_uj in zip(self._last, now, self._ranges, strict=True):
                self._total_uj += value - last + (range_uj if value < last else 0)
        self._last, self._is_begun = now, True
        return self._total_uj / 1e6


class ProcessorHeat:
    """Temperature of the hottest package, and the longest that one was slowed for heat."""

    def __init__(self, sysfs: Path) -> None:
        sensors = sorted((sysfs / "class" / "hwmon").glob("hwmon*"))
        known = (path for path in sensors if _name(path) in _THERMOMETERS)
        self._thermometers = [path / "temp1_input" for path in known]
        cpus = (sysfs / "devices" / "system" / "cpu").glob("cpu[0-9]*/thermal_throttle")
        self._slowed = [
            path / f"{part}_throttle_total_time_ms" for path in cpus for part in ("package", "core")
        ]
        self._start: dict[Path, int] | None = None
        self._max_c: float | None = None
        self.has_sensors = bool(_numbers(self._thermometers + self._slowed))

    def sample(self) -> None:
        """Read the temperatures; the first time also the counters of slowing."""
        if self._start is None:
            self._start = _numbers(self._slowed)
        found = [value / 1000 for value in _numbers(self._thermometers).values()]
        if found:
            self._max_c = max(*found, self._max_c or found[0])

    def result(self, elapsed_s: float) -> tuple[float | None, float | None]:
        """See `Heat`; the counters are read at both ends only."""
        end = _numbers(self._slowed)
        start = self._start or {}
        slowed_s = [(end[path] - start[path]) / 1000 for path in start.keys() & end.keys()]
        if not slowed_s or elapsed_s <= 0:
            return self._max_c, None
        return self._max_c, min(1.0, max(0.0, *slowed_s) / elapsed_s)


def _numbers(paths: list[Path]) -> dict[Path, int]:
    """The numbers of those files that can be read."""
    found = {}
    for path in paths:
        try:
            found[path] = number(path)
        except NotAvailable:
            continue
    return found


def _name(folder: Path) -> str:
    try:
        return text(folder / "name")
    except NotAvailable:
        return ""
