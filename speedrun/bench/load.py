"""What else the processors were busy with while something was measured."""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from speedrun.system import hardware


@dataclass(frozen=True)
class _Reading:
    wall_s: float
    busy_s: float  # of all processors, all processes
    total_s: float
    steal_s: float | None  # None where the system does not count it
    ours_s: float


class Watch:
    """From `start` to `found`, what others took of the processors."""

    def __init__(self) -> None:
        self._load_per_core = hardware.load_per_core()  # before anything of ours is in it
        self._pids: tuple[int, ...] = ()

    def start(self, pids: Iterable[int]) -> None:
        """Begin; `pids` are the processes that measure."""
        self._pids = tuple(pids)
        self._before = _read(self._pids)

    def found(self) -> dict[str, float | None]:
        """A `result.Load` as plain values."""
        before, after = self._before, _read(self._pids)
        wall_s = max(after.wall_s - before.wall_s, 1e-9)
        others_s = (after.busy_s - before.busy_s) - (after.ours_s - before.ours_s)
        steal_share = None
        if before.steal_s is not None and after.steal_s is not None:
            total_s = max(after.total_s - before.total_s, 1e-9)
            steal_share = (after.steal_s - before.steal_s) / total_s
        return {
            "load_per_core": self._load_per_core,
            "other_cores": max(0.0, others_s / wall_s),
            "steal_share": steal_share,
        }


def _read(pids: Iterable[int]) -> _Reading:
    times = psutil.cpu_times()
    fields = times._asdict()
    # Guests' time is in the users' already; stolen time is nobody's here.
    idle = ("idle", "iowait", "steal", "guest", "guest_nice")
    ours_s = 0.0
    for pid in (psutil.Process().pid, *pids):
        with contextlib.suppress(psutil.Error):  # one that ended took no more
            used = psutil.Process(pid).cpu_times()
            ours_s += used.user + used.system
    return _Reading(
        wall_s=time.perf_counter(),
        busy_s=sum(value for name, value in fields.items() if name not in idle),
        total_s=sum(v for name, v in fields.items() if name not in ("guest", "guest_nice")),
        steal_s=fields.get("steal"),
        ours_s=ours_s,
    )
