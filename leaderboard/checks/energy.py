"""Checks of a record's energy and heat: numbers that follow from each other, and can be."""

from collections.abc import Iterator

from speedrun.records.sanitize import brief
from speedrun.records.schema import Record
from speedrun.records.sections import Energy

# Watts that no machine takes: of all sockets, of a room of GPUs, of a battery.
_MAX_WATTS = {"rapl": 2e4, "nvml": 1e6, "battery": 500.0}
# The monitor starts and stops within a moment of the clock.
_TOLERANCE, _TOLERANCE_S = 0.02, 2.0
_ROUNDING = 1e-3
_COLDEST_C, _HOTTEST_C = -50.0, 150.0


def problems(record: Record) -> Iterator[str]:
    """Energy without a source, of another device, or not that of its power and time."""
    if (energy := record.energy) is None:
        return
    hottest = energy.temperature_max_c
    if hottest is not None and not _COLDEST_C <= hottest <= _HOTTEST_C:
        yield f"its device was {hottest:g} °C hot"
    values = energy.joules, energy.mean_watts, energy.peak_watts
    if any((value is None) != (energy.source is None) for value in values):
        yield "of the source of its energy, joules, mean and peak watts some are missing"
    elif energy.source is not None:
        yield from _power(record, energy, energy.source)


def _power(record: Record, energy: Energy, source: str) -> Iterator[str]:
    joules, mean, peak = energy.joules or 0.0, energy.mean_watts or 0.0, energy.peak_watts or 0.0
    if (source == "nvml") != (record.hardware.accelerator is not None):
        yield f"its energy was measured by {source}, but it was trained on {brief(record.device)}"
    if not 0 < mean <= _MAX_WATTS[source]:
        yield f"a mean power of {mean:g} W by {source} cannot be"
        return
    spent_s = record.clock.train_s + record.clock.data_wait_s
    if abs(joules - mean * spent_s) > mean * (_TOLERANCE * spent_s + _TOLERANCE_S):
        yield f"{joules:g} J in {spent_s:.2f} s are not {mean:g} W"
    if not mean * (1 - _ROUNDING) - _ROUNDING <= peak <= _MAX_WATTS[source]:
        yield f"a peak power of {peak:g} W cannot be where the mean is {mean:g} W"
