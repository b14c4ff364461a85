"""The host of a training: rates before and after, and shares of its time by counters of the OS."""

import subprocess
import sys
import time
from collections import namedtuple
from types import SimpleNamespace

import psutil
import pytest

from speedrun.system import hardware, host
from speedrun.system.host import HostMonitor

LINUX = namedtuple("LINUX", "user nice system idle iowait irq softirq steal guest guest_nice")
MAC = namedtuple("MAC", "user nice system idle")
WINDOWS = namedtuple("WINDOWS", "user system idle interrupt dpc")
# Ten seconds of one processor: 3 s in user mode, of which 1 s was a guest's, 2 s stolen.
BUSY = LINUX(3.0, 0.5, 0.2, 4.0, 0.0, 0.1, 0.2, 2.0, 1.0, 0.5)
FREE = LINUX(0.0, 0.0, 0.0, 9.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class FakeProcess:
    """A process that used CPU time, with children, one of which is gone."""

    def __init__(self, used_s: float = 0.0, children: tuple = (), parent=None) -> None:
        self.used_s, self._children, self._parent = used_s, children, parent

    def cpu_times(self) -> tuple:
        if self.used_s < 0:
            raise psutil.NoSuchProcess(1)
        return (self.used_s / 2, self.used_s / 2, 0.0, 0.0, 99.0)

    def children(self, recursive: bool) -> tuple:
        return self._children

    def parent(self):
        return self._parent


@pytest.fixture
def counted(monkeypatch):
    """`counted(processors, cores, used)`: the host that a monitor finds where these passed."""

    def found(cpus: list, *, cores: int, physical: int | None = None, used_s=0.0, **options):
        own = FakeProcess(0.0, (FakeProcess(-1.0),))
        process = FakeProcess(0.0, parent=own) if options else own
        facts = SimpleNamespace(physical_cores=physical or cores)
        monkeypatch.setattr(hardware, "allowed_cpus", lambda: list(range(len(cpus))))
        monkeypatch.setattr(hardware, "usable_cores", lambda: cores)
        monkeypatch.setattr(hardware, "machine", lambda: facts)
        monkeypatch.setattr(psutil, "Process", lambda: process)
        zeros = [type(cpu)(*[0.0] * len(cpu)) for cpu in cpus]
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu: zeros)
        rates = iter([100.0, 90.0])
        monitor = HostMonitor(lambda: next(rates), **options)
        monitor.start()
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu: cpus)
        own.used_s = used_s
        result = monitor.stop()
        assert (result.matmul_before, result.matmul_after) == (100.0, 90.0)
        return result.stolen_share, result.others_share

    return found


@pytest.mark.parametrize(
    ("cpus", "facts", "stolen", "others"),
    [
        # 4 s busy of 10, all ours.
        ([BUSY], {"cores": 1, "used_s": 4.0}, 0.2, 0.0),
        ([BUSY], {"cores": 1, "used_s": 1.0}, 0.2, 0.3),
        ([BUSY, FREE], {"cores": 2, "used_s": 1.0}, 0.1, 0.15),
        # Two threads of one core: a busy one leaves nothing of it.
        ([BUSY, FREE], {"cores": 1, "used_s": 1.0}, 0.1, 0.3),
        # A quota of one of two cores: others may have the other.
        ([BUSY, FREE], {"cores": 1, "physical": 2}, 0.1, 0.0),
        ([BUSY, BUSY, BUSY], {"cores": 1, "physical": 2}, 0.2, 0.2),
        # Counters that are behind ours by rounding.
        ([BUSY], {"cores": 1, "used_s": 4.3}, 0.2, 0.0),
        # A launcher's other ranks are no strangers.
        ([BUSY], {"cores": 1, "used_s": 4.0, "of_launcher": True}, 0.2, 0.0),
        # Systems that do not tell.
        ([MAC(3.0, 0.0, 1.0, 6.0)], {"cores": 1, "used_s": 1.0}, None, 0.3),
        ([WINDOWS(3.0, 0.5, 6.0, 0.25, 0.25)], {"cores": 1, "used_s": 1.0}, None, 0.3),
        ([LINUX(*[0.0] * 10)], {"cores": 1}, None, None),
        ([BUSY] * 3, {"cores": 1}, 0.2, 1.0),
    ],
)
def test_time_that_others_took_is_told_from_our_own(counted, cpus, facts, stolen, others):
    found = counted(cpus, **facts)
    assert found == (pytest.approx(stolen), pytest.approx(others))


@pytest.mark.parametrize("error", [OSError(2, "no /proc"), psutil.AccessDenied(1), RuntimeError()])
def test_a_system_that_refuses_to_count_costs_only_the_shares(monkeypatch, error):
    def refuse(percpu):
        raise error

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    monitor = HostMonitor(lambda: None)
    monitor.start()
    assert monitor.stop() == host.Host(
        matmul_before=None, matmul_after=None, stolen_share=None, others_share=None
    )


def test_a_process_that_is_not_ours_is_seen_on_this_machine():
    """For real: it has lost its parent, and takes a core half of the time."""
    thief = "import time; e = time.time() + 3\nwhile time.time() < e: time.sleep(.05); [0] * 10**7"
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {thief!r}])"
    subprocess.run([sys.executable, "-c", start], check=True, timeout=60)
    monitor = HostMonitor(lambda: 1.0)
    monitor.start()
    time.sleep(1.0)
    share = monitor.stop().others_share
    assert share is None or share > 0.05 / hardware.usable_cores()
