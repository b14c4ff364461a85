"""Host of a training: how fast it was just before and after, and what others took of it.

    monitor = HostMonitor(rate)  # measures
    monitor.start()  # counts from here
    ...  # train
    host = monitor.stop()  # to here, and measures again

Whether a race that was run so may hold a record is judged by `speedrun.records.host`.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from speedrun.system import hardware

_IDLE = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests are in user and nice, too


@dataclass(frozen=True, kw_only=True)
class Host:
    """Product rates in GFLOP/s and shares of the usable cores' time; None where not known."""

    matmul_before: float | None
    matmul_after: float | None
    stolen_share: float | None  # by the hypervisor, from processors that had work
    others_share: float | None  # by processes that are not ours


def worst(parts: Sequence[Host]) -> Host:
    """The host of a run in parts: the largest shares, and the lowest of the rates before."""

    def extreme(choose: Callable[[list[float]], float], name: str) -> float | None:
        known = [v for part in parts if (v := getattr(part, name)) is not None]
        return choose(known) if known else None

    return Host(
        matmul_before=extreme(min, "matmul_before"),
        matmul_after=parts[-1].matmul_after,
        stolen_share=extreme(max, "stolen_share"),
        others_share=extreme(max, "others_share"),
    )


class _Times(NamedTuple):
    """Seconds of all allowed processors together, and of our processes."""

    total: float
    busy: float
    stolen: float | None
    own: float


class HostMonitor:
    """Monitor of one training; `rate` measures the device for a third of a second.

    The rate is the usual one of that time and no best, which would hide what others take. No
    thread of ours may be busy while it is measured: two threads at work on one core make products
    a hundred times slower. With several ranks, `of_launcher` counts all children of their
    launcher as ours.
    """

    def __init__(self, rate: Callable[[], float | None], *, of_launcher: bool = False) -> None:
        self._rate, self._of_launcher = rate, of_launcher
        self._before = rate()
        self._start: _Times | None = None

    def start(self) -> None:
        """Start counting."""
        self._start = self._times()

    def so_far(self) -> Host:
        """The host up to now; its rate is not measured again."""
        stolen, others = _shares(self._start, self._times())
        return Host(
            matmul_before=self._before, matmul_after=None, stolen_share=stolen, others_share=others
        )

    def stop(self) -> Host:
        """Stop counting, then measure the rate again."""
        return dataclasses.replace(self.so_far(), matmul_after=self._rate())

    def _times(self) -> _Times | None:
        with contextlib.suppress(psutil.Error, OSError, RuntimeError, LookupError, ValueError):
            every = psutil.cpu_times(percpu=True)
            cpus = [every[number]._asdict() for number in hardware.allowed_cpus()]
            own = psutil.Process()
            if self._of_launcher:
                own = own.parent() or own
            steals = [cpu["steal"] for cpu in cpus if "steal" in cpu]
            return _Times(
                total=sum(_sum(cpu, ("guest", "guest_nice")) for cpu in cpus),
                busy=sum(_sum(cpu, _IDLE) for cpu in cpus),
                stolen=sum(steals) if steals else None,
                own=sum(map(_used_s, (own, *own.children(recursive=True)))),
            )
        return None


def _sum(times: dict[str, float], without: tuple[str, ...]) -> float:
    return sum(seconds for name, seconds in times.items() if name not in without)


def _used_s(process: psutil.Process) -> float:
    """CPU time of a process and of those children of it that are gone."""
    with contextlib.suppress(psutil.Error):
        return sum(process.cpu_times()[:4])
    return 0.0


def _shares(start: _Times | None, end: _Times | None) -> tuple[float | None, float | None]:
    """Shares that were stolen and that others took; None where the system does not count."""
    if start is None or end is None or end.total <= start.total:
        return None, None
    one_s = (end.total - start.total) / len(hardware.allowed_cpus())  # of one processor
    stolen = None
    if start.stolen is not None and end.stolen is not None:
        stolen = _share(end.stolen - start.stolen, end.total - start.total)
    # What others take of cores that a quota keeps from us anyway is no loss.
    cores = hardware.usable_cores()
    spare_s = (hardware.machine().physical_cores - cores) * one_s
    others_s = (end.busy - start.busy) - (end.own - start.own)
    return stolen, _share(others_s - spare_s, cores * one_s)


def _share(part_s: float, whole_s: float) -> float:
    return round(min(1.0, max(0.0, part_s / whole_s)), 4)
