"""Races go to many machines, one at a time to each device, and none is lost or run twice."""

import itertools
from collections import Counter
from dataclasses import replace

import psutil
import pytest
from helpers.sweeps import FakeRace
from rich.console import Console

from speedrun.records.schema import load
from speedrun.sweep import child
from speedrun.sweep.executor import run_all
from speedrun.sweep.grid import Plan, plan
from speedrun.sweep.live import PlainSweepView
from speedrun.sweep.ray_worker import Brought, Facts, facts, race_here
from speedrun.sweep.scheduler import Lost, Node, run_on
from speedrun.sweep.sweep_dir import Key, records
from speedrun.training.runs import run_dir

QUIET = PlainSweepView(Console(quiet=True))


def node(name: str, *, address: str = "", num_devices: int = 1) -> Node:
    return Node(id=name, address=address or f"10.0.0.{name}", num_devices=num_devices, num_cpus=2)


class FakeCluster:
    """Machines in a list; tasks end one at a time, the oldest first."""

    def __init__(self, planned: Plan, *nodes: Node) -> None:
        self.planned, self.alive = planned, list(nodes)
        self.race = FakeRace(planned)
        self.facts = {one.id: Facts(found=facts(planned)) for one in nodes}
        self.planned_on: list[str] = []
        self.raced: list[tuple[str, Key]] = []
        self.most: Counter[str] = Counter()  # races at the same time on one node
        self.dies: Counter[str] = Counter()  # nodes, at the end of so many races
        self.crashes: Counter[str] = Counter()  # their process alone, at the end of a race
        self.joins: dict[int, Node] = {}  # after so many races
        self._tasks: dict[int, tuple[Node, tuple]] = {}
        self._numbers = itertools.count()

    @property
    def tries(self) -> Counter[Key]:
        return Counter(key for _, key in self.raced)

    def nodes(self) -> list[Node]:
        return list(self.alive)

    def start(self, node, function, *arguments) -> int:
        self._tasks[number := next(self._numbers)] = node, arguments
        if function is race_here:
            request = replace(arguments[0], arch="transformer")
            (key,) = [race.key for race in self.planned.races if race.request == request]
            self.raced.append((node.id, key))
            here = sum(one.id == node.id and len(args) == 2 for one, args in self._tasks.values())
            self.most[node.id] = max(self.most[node.id], here)
        else:
            self.planned_on.append(node.id)
        return number

    def poll(self, timeout_s):
        number, (node, arguments) = next(iter(self._tasks.items()))
        del self._tasks[number]
        if len(arguments) == 1 and node in self.alive:
            return [(number, self.facts[node.id])]
        if (new := self.joins.pop(len(self.race.raced), None)) is not None:
            self.facts[new.id] = Facts(found=facts(self.planned))
            self.alive.append(new)
        self.dies[node.id] -= 1
        if self.dies[node.id] == 0:
            self.alive.remove(node)
        if node not in self.alive:
            return [(number, Lost("its node died"))]
        if self.crashes[node.id]:
            self.crashes[node.id] -= 1
            return [(number, Lost("its worker died"))]
        return [(number, "50%  loss 3.2"), (number, self._brought(*arguments))]

    def _brought(self, request, has_lost) -> Brought:
        request = replace(request, arch="transformer", out=request.out.with_name("there"))
        ended = child.finish(self.race(request, has_lost), lambda line: None)
        files = list(ended.run.iterdir()) if ended.run else []
        return Brought(ended=ended, files={file.name: file.read_bytes() for file in files})


def once(planned: Plan) -> Counter[Key]:
    return Counter(race.key for race in planned.races)


def test_every_race_runs_once_and_no_device_has_two(planned):
    """Two of them here, before."""
    first = FakeRace(planned)
    first.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run_all(planned, QUIET, first)
    cluster = FakeCluster(planned, node("1"), node("2", num_devices=2))
    state = run_on(cluster, planned, QUIET)
    assert cluster.tries + Counter(first.keys) == once(planned) and len(state.done) == 6
    assert cluster.most == {"1": 1, "2": 2}
    assert len(records(planned.grid.base.out)[0]) == 6
    again = FakeCluster(planned, node("1"))
    run_on(again, planned, QUIET)
    assert not again.raced and not again.planned_on


def test_a_race_lost_with_its_machine_is_run_once_more_elsewhere(planned, capsys):
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.dies["2"] = 2  # in its second race
    state = run_on(cluster, planned, PlainSweepView(Console(width=500)))
    assert len(state.done) == 6 and not state.failed
    (twice,) = [key for key, times in cluster.tries.items() if times > 1]
    assert [where for where, key in cluster.raced if key == twice] == ["2", "1"]
    assert cluster.tries == once(planned) + Counter([twice])
    assert len(records(planned.grid.base.out)[0]) == 6
    shown = capsys.readouterr().out
    assert shown.count("was lost with 10.0.0.2 (its node died): it is run once more") == 1
    assert " on 10.0.0.1; " in shown and " on 10.0.0.2; " in shown


def test_a_race_lost_twice_failed_and_the_rest_continues(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.crashes["1"] = 2
    state = run_on(cluster, planned, QUIET)
    (failure,) = state.failed.values()
    assert failure.exit_code is None
    assert failure.error == "its machine was lost 2 times, last 10.0.0.1 (its worker died)"
    assert cluster.planned_on == ["1", "1", "1"], "checked again after each loss"
    assert len(state.done) == 5
    again = FakeCluster(planned, node("5"))
    assert len(run_on(again, planned, QUIET).done) == 6
    assert again.tries == Counter([failure.key])


@pytest.mark.parametrize("what", ["code", "settings", "train data", "hardware class"])
def test_a_machine_that_would_race_something_else_is_left_out_by_name(planned, what, capsys):
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.facts["2"] = Facts(found={**facts(planned), what: "0" * 64})
    run_on(cluster, planned, PlainSweepView(Console(width=500)))
    assert {where for where, _ in cluster.raced} == {"1"}
    assert f"10.0.0.2 is left out: {what} is {'0' * 12}, the sweep's" in capsys.readouterr().out


def test_no_machine_to_race_on_is_one_line_with_the_reasons(planned):
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.facts["1"] = Facts(error="--data x: no such file")
    cluster.facts["2"] = Facts(found={**facts(planned), "hardware class": "cuda-h200"})
    with pytest.raises(ValueError) as refused:
        run_on(cluster, planned, QUIET)
    line = str(refused.value)
    assert "10.0.0.1: --data x: no such file; 10.0.0.2: hardware class is cuda-h200" in line
    with pytest.raises(ValueError, match="none has a device for them"):
        run_on(FakeCluster(planned), planned, QUIET)


def test_two_nodes_on_one_machine_do_not_race_at_the_same_time(planned):
    cluster = FakeCluster(planned, node("1", address="10.0.0.9"), node("2", address="10.0.0.9"))
    cluster.dies["1"] = 3
    run_on(cluster, planned, QUIET)
    assert [where for where, _ in cluster.raced] == ["1"] * 3 + ["2"] * 4


def test_a_machine_that_joins_later_takes_part(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.joins[1] = node("2")
    run_on(cluster, planned, QUIET)
    assert {where for where, _ in cluster.raced} == {"1", "2"} and cluster.tries == once(planned)


def test_a_race_that_fails_by_itself_is_not_run_again(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.race.fails = {planned.races[1].key}
    (failure,) = run_on(cluster, planned, QUIET).failed.values()
    assert failure.error == "it broke" and cluster.tries == once(planned)


def test_a_run_that_cannot_be_written_is_a_failure(planned, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_dir, "keep", full)
    failed = run_on(FakeCluster(planned, node("1")), planned, QUIET).failed
    assert len(failed) == 6 and "No space left" in next(iter(failed.values())).error


def test_early_stopping_ends_what_cannot_win_there_too(planned):
    sizes = (20_000, 30_000, 40_000, 60_000, 90_000)
    planned = plan(replace(planned.grid, params=sizes), print)
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.race.each_size_worse()
    state = run_on(cluster, planned, QUIET, early_stop=True)
    assert not state.failed and {key[3] for key in state.stopped} == {1}
    assert len(state.stopped) >= 3


@pytest.mark.slow
def test_a_race_there_brings_its_whole_run_and_leaves_nothing(planned, isolated, tmp_path):
    request = replace(planned.races[0].request, tune="off")
    *lines, brought = race_here(request)
    assert isinstance(brought, Brought) and brought.ended.run is not None, brought
    assert {"record.json", "log.jsonl", "model.safetensors", "samples.txt"} <= set(brought.files)
    assert lines[0] == "starting" and any("loss" in str(line) for line in lines)
    assert all(a != b for a, b in itertools.pairwise(lines)), "a line is told once"
    assert not list((isolated / "cache" / "ray").glob("*/*")) and not request.out.exists()
    assert not psutil.Process().children()
    run = run_dir.keep(tmp_path, brought.ended.run.name, brought.files)
    made = load(run / "record.json")
    assert made.config == planned.races[0].config and made.argv == request.argv()
