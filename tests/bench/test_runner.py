"""Measuring: cases in turn, failures left behind, the load of other processes."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.benches import bench_of, row_of

from speedrun.bench import runner
from speedrun.bench.cases import Case
from speedrun.bench.runner import Effort
from speedrun.system.subprocesses import ChildError


def case(arch: str) -> Case:
    return Case(arch=arch, params=2_000_000, device="cpu", data=None)


class FakeChild:
    """Writes down what it is asked for."""

    calls: list[tuple[str, str]]
    fails: dict[str, str]  # architecture -> the method that fails
    pid = os.getpid()

    def call(self, kind: str, *, notice: Any, **values: Any) -> Any:
        if kind == "start":
            self.arch = values["arch"]
            notice("the hub does not answer")
        self.calls.append((self.arch, kind))
        if self.fails.get(self.arch) == kind:
            raise ChildError("no room")
        return row_of(self.arch) if kind == "row" else 1.0

    def kill(self) -> None:
        self.calls.append((self.arch, "kill"))


@pytest.fixture
def measured(monkeypatch):
    """Measures these architectures with fake children; gives the bench, the calls, the notices."""
    monkeypatch.setattr(runner, "_data", lambda case: bench_of().data.model_dump())

    def measure(archs: str, fails: dict[str, str] | None = None, **effort: Any) -> Any:
        FakeChild.calls, FakeChild.fails = [], fails or {}
        notices: list[str] = []
        found = runner.measure(
            [case(arch) for arch in archs],
            Effort(**{"repeats": 2, **effort}),
            phase=lambda text: None,
            notice=notices.append,
            start=FakeChild,
        )
        return SimpleNamespace(bench=found, calls=FakeChild.calls, notices=notices)

    return measure


def test_cases_are_measured_in_turn(measured):
    found = measured("ab")
    assert [arch for arch, method in found.calls if method == "train"] == ["a", "b", "a", "b"]
    methods = " ".join(method for arch, method in found.calls if arch == "a")
    assert methods == "start prepare score score sample sample train train row kill"
    assert found.bench.settings.repeats == 2
    assert found.notices == ["the hub does not answer"], "every process says it; once is enough"


def test_who_fails_is_left_behind_and_the_others_go_on(measured):
    found = measured("abc", {"a": "prepare", "b": "train"})
    assert [row.arch for row in found.bench.rows] == ["c"]
    assert {f.variant: f.error for f in found.bench.failed} == {
        "a 2M cpu": "no room",
        "b 2M cpu": "no room",
    }
    assert [call for call in found.calls if call[0] == "b"].count(("b", "train")) == 1
    assert ("a", "kill") in found.calls and ("b", "kill") in found.calls


def test_a_profile_that_fails_costs_the_profile_alone(measured):
    found = measured("a", {"a": "profile"}, with_profile=True)
    assert [row.arch for row in found.bench.rows] == ["a"] and len(found.bench.failed) == 1


def test_where_nothing_can_be_measured_the_reason_is_given(measured):
    with pytest.raises(ValueError, match="nothing could be measured: a 2M cpu: no room"):
        measured("a", {"a": "prepare"})


def test_minutes_are_shared_by_the_three_measurements():
    now = [0.0]

    def each(kind: str, longest_s: float) -> None:
        now[0] += 2.0

    running: Any = SimpleNamespace(pids=lambda: [1], each=each)
    for minutes, repeats in (("1", 10), ("0.01", runner.MIN_REPEATS)):
        now[0] = 0.0
        effort = Effort.parse(None, minutes, with_profile=False)
        taken = runner.take_rounds(running, effort, lambda text: None, lambda: now[0])
        assert taken == repeats and now[0] == pytest.approx(6.0 * repeats)


def test_what_is_slow_is_repeated_less_where_nothing_was_asked(monkeypatch, measured):
    monkeypatch.setattr(runner, "SLOW_S", 0.0)
    default = [kind for _, kind in measured("a", repeats=None).calls]
    for kind in ("score", "sample", "train"):
        assert default.count(kind) == runner.FEW_REPEATS
    request = [kind for _, kind in measured("a", repeats=5).calls]
    assert request.count("train") == 5


def test_load_counts_what_other_processes_take():
    since = runner.watch([])
    busy = "import time\nend = time.time() + 0.7\nwhile time.time() < end: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert (since()["other_cores"] or 0.0) > 0.1
