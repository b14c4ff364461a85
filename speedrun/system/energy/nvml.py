"""Energy and heat of NVIDIA GPUs, by their driver's management library (NVML)."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from speedrun.system.energy.sensor import NotAvailable

_FOR_HEAT = 0x20 | 0x40  # slowed by driver or hardware for heat; a power limit is none
_CORE = 0  # the sensor of the GPU itself


class Nvml:
    """The boards of some GPUs: a Meter, and their Heat.

    Boards since Volta count energy; of older ones the power is summed over time.
    """

    source = "nvml"

    def __init__(self, uuids: Sequence[str], now: Callable[[], float]) -> None:
        try:
            self._nvml: Any = importlib.import_module("pynvml")
        except ImportError:
            raise NotAvailable(
                "the library nvidia-ml-py, which reads the energy of a GPU, is not installed:"
                " pip install nvidia-ml-py"
            ) from None
        self._now = now
        self._ask("nvmlInit")
        self._boards = [self._ask("nvmlDeviceGetHandleByUUID", one) for one in dict.fromkeys(uuids)]
        self.title = f"NVML, {len(self._boards)} GPU{'s' if len(self._boards) > 1 else ''}"
        self._last: list[float] | None = None  # counters in joules, or else watts
        self._last_s = self._total = 0.0
        self._max_c: float | None = None
        self._num_samples = self._num_slowed = 0
        self._counts = True
        try:
            self._counters()
        except NotAvailable:
            self._counts = False
            self._watts()

    def joules(self) -> float:
        """Joules since the first call, of all boards."""
        now_s, values = self._now(), self._counters() if self._counts else self._watts()
        if self._last is not None:
            pairs = zip(self._last, values, strict=True)
            if self._counts:
                self._total += sum(max(0.0, value - last) for last, value in pairs)
            else:
                mean_watts = sum(value + last for last, value in pairs) / 2
                self._total += (now_s - self._last_s) * mean_watts
        self._last, self._last_s = values, now_s
        return self._total

    def sample(self) -> None:
        """Read temperatures and the reasons for which clocks are low."""
        try:
            degrees = [self._ask("nvmlDeviceGetTemperature", one, _CORE) for one in self._boards]
            self._max_c = max([*degrees, self._max_c or 0.0])
            reasons = [
                self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", one) for one in self._boards
            ]
        except NotAvailable:
            return
        self._num_samples += 1
        self._num_slowed += any(reason & _FOR_HEAT for reason in reasons)

    def result(self, elapsed_s: float) -> tuple[float | None, float | None]:
        """See `Heat`; a sample is slowed where one GPU is."""
        share = self._num_slowed / self._num_samples if self._num_samples else None
        return self._max_c, share

    def _counters(self) -> list[float]:
        return [self._ask("nvmlDeviceGetTotalEnergyConsumption", one) / 1e3 for one in self._boards]

    def _watts(self) -> list[float]:
        return [self._ask("nvmlDeviceGetPowerUsage", one) / 1e3 for one in self._boards]

    def _ask(self, function: str, *arguments: Any) -> Any:
        try:
            return getattr(self._nvml, function)(*arguments)
        except (self._nvml.NVMLError, AttributeError) as error:
            raise NotAvailable(f"NVML: {error}") from None
