"""Measurement of the host around a whole race, for records that say nothing of it."""

import dataclasses

from speedrun.backends import registry
from speedrun.device import Device
from speedrun.system.host import HostMonitor

_PROCESSOR = Device(name="numpy", backend="numpy", available=True, detail="")


class Watch:
    """Measurement from the process that starts a race, with NumPy, which is always there."""

    def __init__(self) -> None:
        backend = registry.backend(_PROCESSOR.backend)
        self._monitor = HostMonitor(backend.sustained_gflops(_PROCESSOR))
        self._monitor.start()

    def end(self) -> dict[str, float | None]:
        """The measurement, as the values of a `Host`; call it once the race has ended."""
        return dataclasses.asdict(self._monitor.stop())
