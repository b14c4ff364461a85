"""Energy of runs: its mean over several, what a part of the time took, and the words for it."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from speedrun.records.sections import Energy
from speedrun.records.summary import Summary

SOURCES = {
    "rapl": "RAPL: the processor packages",
    "nvml": "NVML: the GPUs",
    "battery": "battery: the whole machine",
}
UNKNOWN = "not available there"  # of the machine of a race


class MeanEnergy(NamedTuple):
    """Energy of a training, the mean over runs that were measured in one way."""

    source: str
    joules: float
    mean_watts: float


def mean(runs: Sequence[Summary]) -> MeanEnergy | None:
    """The mean over runs; None where one was not measured, or in another way than the first."""
    sources = {run.energy_source for run in runs}
    joules = [run.joules for run in runs if run.joules is not None]
    watts = [run.mean_watts for run in runs if run.mean_watts is not None]
    if len(sources) != 1 or not len(joules) == len(watts) == len(runs):
        return None
    return MeanEnergy(
        source=str(sources.pop()),
        joules=statistics.fmean(joules),
        mean_watts=statistics.fmean(watts),
    )


def describe(energy: Energy) -> str:
    """`7,500 J, 25.0 W, peak 31.5 W (RAPL: …)`; empty where it is not known."""
    if energy.joules is None:
        return ""
    power = f"{watts(energy.mean_watts)}, peak {watts(energy.peak_watts)}"
    return f"{joules(energy.joules)}, {power} ({SOURCES[str(energy.source)]})"


def heat(energy: Energy) -> list[str]:
    """Phrases on temperature and slowing, as far as they are known."""
    parts = []
    if energy.temperature_max_c is not None:
        parts.append(f"at most {energy.temperature_max_c:.0f} °C")
    if energy.throttled_share is not None:
        slowed = "never" if energy.throttled_share == 0 else f"{energy.throttled_share:.1%} of it"
        parts.append(f"slowed for heat: {slowed}")
    return parts


def joules(value: float) -> str:
    """`7,500 J`, `61.3 kJ`, `2.4 MJ`: three digits are what such counters are good for."""
    for limit, size, unit in ((1e4, 1.0, "J"), (1e7, 1e3, "kJ"), (1e10, 1e6, "MJ")):
        if value < limit:
            return f"{value / size:,.{0 if value >= 1e2 * size else 1}f} {unit}"
    return f"{value:.2g} J"


def watts(value: float | None) -> str:
    """`25.0 W`; a question mark where it is not known."""
    if value is None:
        return "?"
    return f"{value:,.{0 if value >= 100 else 1}f} W" if value < 1e9 else f"{value:.2g} W"
