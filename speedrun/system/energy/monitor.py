"""Energy and heat between two moments, by a thread that looks at the sensors once a second.

    with EnergyMonitor(find(accelerator, uuids)) as monitor:
        monitor.start()
        ...  # train
        energy = monitor.stop()

Whatever a machine does not tell is None, and costs nothing else.
"""

import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from speedrun.system.energy.battery import Battery
from speedrun.system.energy.nvml import Nvml
from speedrun.system.energy.processor import ProcessorHeat, Rapl
from speedrun.system.energy.sensor import SYSFS, Heat, Meter, NotAvailable

PERIOD_S = 1.0
_MIN_INTERVAL_S = 0.5  # counters are updated too seldom for the power of a shorter one
_PATIENCE_S = 5.0  # for a sensor that does not answer
_ANSWER_S = 0.2  # for one that another thread is reading


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy and heat of a training, as a record has them; None where not known."""

    source: str | None = None
    joules: float | None = None
    mean_watts: float | None = None
    peak_watts: float | None = None  # mean over a second
    temperature_max_c: float | None = None
    throttled_share: float | None = None  # of the time, slowed for heat


def together(first: Energy, second: Energy) -> Energy:
    """Energy and heat of two parts of a training; None where one part does not know it."""

    def larger(name: str) -> float | None:
        values = getattr(first, name), getattr(second, name)
        return None if None in values else max(values)

    heat = Energy(
        temperature_max_c=larger("temperature_max_c"), throttled_share=larger("throttled_share")
    )
    parts = [(one.joules, one.mean_watts) for one in (first, second)]
    known = [(j, w) for j, w in parts if j is not None and w]
    if len(known) < 2 or first.source != second.source:
        return heat
    joules, seconds = sum(j for j, _ in known), sum(j / w for j, w in known)
    return replace(
        heat,
        source=first.source,
        joules=round(joules, 3),
        mean_watts=round(joules / seconds, 3),
        peak_watts=larger("peak_watts"),
    )


@dataclass(frozen=True)
class Sensors:
    """Sensors of the devices that train; `why` there is no meter."""

    meter: Meter | None
    heat: Heat | None
    why: str = ""

    def describe(self) -> str:
        """The source, or the reason why there is none."""
        return self.meter.title if self.meter else f"not available here: {self.why}"


def find(
    accelerator: str | None = None,
    uuids: Sequence[str | None] = (),
    *,
    sysfs: Path = SYSFS,
    now: Callable[[], float] = time.monotonic,
) -> Sensors:
    """The sensors of the accelerators with these UUIDs, or else of the processors.

    Where an accelerator works the processor's energy would tell little, so it takes no place.
    """
    if accelerator is None:
        heat = ProcessorHeat(sysfs)
        heat = heat if heat.has_sensors else None
        reasons = []
        for kind in (lambda: Rapl(sysfs), lambda: Battery(sysfs, now)):
            try:
                return Sensors(kind(), heat)
            except NotAvailable as error:
                reasons.append(str(error))
        return Sensors(None, heat, "; ".join([*_system(), *reasons]))
    known = [uuid for uuid in uuids if uuid is not None]
    if not known or len(known) < len(uuids):
        return Sensors(None, None, f"no meter is known for {accelerator}")
    try:
        gpus = Nvml(known, now)
    except NotAvailable as error:
        return Sensors(None, None, str(error))
    return Sensors(gpus, gpus)


def _system() -> list[str]:
    name = platform.system()
    return [] if name == "Linux" else [f"{name} has no energy counter that every user may read"]


class EnergyMonitor:
    """Energy and heat from `start` to `stop`; see the module."""

    def __init__(self, sensors: Sensors, *, now: Callable[[], float] = time.monotonic) -> None:
        self._meter, self._heat, self._now = sensors.meter, sensors.heat, now
        self._is_over, self._reading = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._start_s = self._joules = self._peak_watts = 0.0
        self._begin = 0.0, 0.0  # seconds and joules, of the interval that is under way
        self.watts: float | None = None  # of the last interval

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def start(self) -> None:
        """Begin to count."""
        self._start_s = self._now()
        self._begin = self._start_s, 0.0
        self._sample()
        if self._meter is None and self._heat is None:
            return
        self._thread = threading.Thread(target=self._watch, name="energy", daemon=True)
        self._thread.start()

    def stop(self) -> Energy:
        """Stop counting; may be called once."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
            if self._thread.is_alive():
                return Energy()
        return self.so_far()

    def so_far(self) -> Energy:
        """Energy and heat up to now."""
        elapsed_s = self._now() - self._start_s
        if not self._sample():
            return Energy()
        hottest, slowed = self._heat.result(elapsed_s) if self._heat else (None, None)
        energy = Energy(
            temperature_max_c=None if hottest is None else round(hottest, 1),
            throttled_share=None if slowed is None else round(slowed, 4),
        )
        if self._meter is None or self._joules <= 0 or elapsed_s <= 0:
            return energy
        mean_watts = self._joules / elapsed_s
        return replace(
            energy,
            source=self._meter.source,
            joules=round(self._joules, 3),
            mean_watts=round(mean_watts, 3),
            peak_watts=round(max(self._peak_watts, mean_watts), 3),
        )

    def _watch(self) -> None:
        while not self._is_over.wait(PERIOD_S):
            self._sample()

    def _sample(self) -> bool:
        """Read all sensors; False where another thread waits for one that does not answer.

        A meter that fails once has lost count, and is not asked again.
        """
        if not self._reading.acquire(timeout=_ANSWER_S):
            return False
        try:
            if self._meter is not None:
                try:
                    self._count(self._now(), self._meter.joules())
                except NotAvailable:
                    self._meter = None
            if self._heat is not None:
                self._heat.sample()
        finally:
            self._reading.release()
        return True

    def _count(self, now_s: float, joules: float) -> None:
        begin_s, before = self._begin
        if now_s - begin_s >= _MIN_INTERVAL_S:
            self.watts = (joules - before) / (now_s - begin_s)
            self._peak_watts = max(self._peak_watts, self.watts)
            self._begin = now_s, joules
        self._joules = joules
