"""Programs that hang are ended, and others are not."""

import subprocess
import sys
import time

import pytest

from speedrun.system import watchdog
from speedrun.system.watchdog import ending_hung_children

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="starts a shell")
BUSY = "i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done"


def test_a_program_that_sleeps_is_ended_and_named():
    began_s = time.monotonic()
    with ending_hung_children(idle_s=0.3) as ended:
        done = subprocess.run(["sh", "-c", "sleep 60; exit 3"])
    assert done.returncode == 3, "the shell that waited for it goes on"
    assert ended and ended[0] in ("sleep", "coreutils", "busybox")
    assert time.monotonic() - began_s < 30


def test_one_that_works_is_not(monkeypatch):
    monkeypatch.setattr(watchdog, "_WORK_S", 0.05)  # of a busy machine, too
    with ending_hung_children(idle_s=2.0) as ended:
        assert subprocess.run(["sh", "-c", BUSY]).returncode == 0
    assert ended == []


def test_one_that_worked_through_a_program_of_its_own_is_not(monkeypatch):
    """The driver of a compiler, between two stages."""
    monkeypatch.setattr(watchdog, "_WORK_S", 0.05)
    with ending_hung_children(idle_s=1.0) as ended:
        driver = subprocess.Popen(["sh", "-c", f"({BUSY}); read x; exit 0"], stdin=subprocess.PIPE)
        time.sleep(3.0)
        driver.communicate()
    assert (driver.returncode, ended) == (0, [])


def test_one_that_works_for_ever_is():
    with ending_hung_children(limit_s=0.5, idle_s=0.2) as ended:
        subprocess.run(["sh", "-c", "while :; do :; done"])
    assert len(ended) == 1


def test_workers_of_python_and_older_children_are_spared():
    with subprocess.Popen(["sleep", "60"]) as older, ending_hung_children(idle_s=0.2) as ended:
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        time.sleep(1.5)
        assert older.poll() is None and worker.poll() is None and ended == []
        for child in (older, worker):
            child.kill()
            child.wait()
