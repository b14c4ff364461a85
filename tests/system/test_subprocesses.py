"""Child processes: their answers, errors, deadlines and ends."""

import math
import os
import time
from pathlib import Path

import psutil
import pytest

from speedrun.system.subprocesses import Child, ChildEnded, ChildError, ChildTimeout


@pytest.fixture
def child(monkeypatch, tmp_path):
    """Served from another working directory, as a module that PYTHONPATH leads to."""
    path = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    monkeypatch.chdir(tmp_path)
    made = Child("helpers.served")
    yield made
    made.kill()


def started(child: Child) -> Child:
    heard: list[str] = []
    child.call("start", timeout_s=60, notice=heard.append, greeting="hello")
    assert heard == ["hello"]
    return child


def gone(pid: int) -> bool:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_methods_are_called_and_errors_are_one_line(child):
    with pytest.raises(ChildTimeout):
        child.receive(timeout_s=0.01)
    assert child.exit_code is None, "receiving does not end a child"
    started(child)
    assert child.call("echo", value={"a": [1, None]}, timeout_s=30) == {"a": [1, None]}
    assert math.isnan(child.call("echo", value=float("nan")))
    with pytest.raises(ChildError) as failed:
        child.call("fail")
    assert str(failed.value) == "RuntimeError: no kernel for it"
    with pytest.raises(ChildError, match="AttributeError"):
        child.call("no_such_method")
    assert child.exit_code is None and child.call("echo", value=2) == 2, "errors do not end it"
    with pytest.raises(ChildEnded, match=r"^killed by SIGSEGV$"):
        child.call("crash", timeout_s=30)
    assert child.exit_code == -11


def test_an_object_that_cannot_be_made_says_why(child):
    with pytest.raises(ChildError, match=r"^ValueError: not today$"):
        child.call("start", greeting="refuse", timeout_s=60)
    with pytest.raises(ChildEnded):
        child.call("echo", value=1)


def test_one_that_hangs_is_killed_in_time_with_all_it_started(child):
    grandchild = started(child).call("grandchild")
    before_s = time.monotonic()
    with pytest.raises(ChildTimeout, match=r"^no answer within 0\.3 s$"):
        child.call("hang", timeout_s=0.3, say_first="notices do not extend the deadline")
    assert time.monotonic() - before_s < 5
    assert child.exit_code == -9 and gone(grandchild)
    child.kill()


def test_the_reason_of_an_end_is_told_in_whatever_encoding_the_system_has(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")  # as in a pipe of Windows
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    child = Child("helpers.served")
    with pytest.raises(ChildEnded, match=r"^no such café$"):
        started(child).call("leave", timeout_s=30)
    assert child.exit_code == 1
    made = Child("helpers.no_such_module")
    with pytest.raises(ChildEnded, match="No module named"):
        made.receive(timeout_s=60)
    made.kill()


def test_it_ends_with_its_parent_even_in_the_midst_of_work(child):
    """The system closes the other end of standard input when a parent dies."""
    grandchild = started(child).call("grandchild")
    child.send({"kind": "hang", "say_first": "busy"})
    assert child.receive(30) == {"kind": "notice", "text": "busy"}
    child._process.stdin.close()
    assert child._process.wait(timeout=20) == -9 and gone(grandchild)
