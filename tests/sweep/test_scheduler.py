"""Races go to many machines, one at a time to each device, and none is lost or raced twice."""

import dataclasses
import io
import tempfile
from collections import Counter
from pathlib import Path

import psutil
import pytest
from helpers.folders import write_stories
from helpers.sweeps import FakeRace
from rich.console import Console

from speedrun.config import Data
from speedrun.sweep import sweep_dir as sweep_folder
from speedrun.sweep.executor import run_all
from speedrun.sweep.grid import Grid, Plan, Planned, arguments, plan
from speedrun.sweep.live import LiveSweepView, PlainSweepView
from speedrun.sweep.ray_worker import Brought, Facts, facts, from_anywhere, race_here
from speedrun.sweep.scheduler import MAX_LOSSES, Lost, Node, race_on
from speedrun.training import run_dir

QUIET = PlainSweepView(Console(quiet=True))


@pytest.fixture(scope="module")
def stories(tmp_path_factory) -> Path:
    return write_stories(tmp_path_factory.mktemp("data") / "stories.jsonl")


@pytest.fixture
def grid(stories, tmp_path) -> Grid:
    return Grid(
        archs=("transformer",),
        params=(20_000, 40_000, 60_000),
        minutes=(0.05,),
        num_seeds=2,
        backend="cpu",
        data=Data(path=str(stories), vocab=300, eval_docs=20),
        settings=("model.context=32", "recipe.compile=false"),
        out=tmp_path / "sweep",
    )


@pytest.fixture
def planned(grid) -> Plan:
    return plan(grid, lambda text: None)


def node(name: str, *, address: str = "", num_devices: int = 1) -> Node:
    return Node(id=name, address=address or f"10.0.0.{name}", num_devices=num_devices, num_cpus=2)


class FakeCluster:
    """Machines in a list; tasks end one at a time, the oldest first."""

    def __init__(self, planned: Plan, *nodes: Node) -> None:
        self.planned, self.alive = planned, list(nodes)
        self.race_alone = FakeRace(planned)
        self.facts = {one.id: Facts(found=facts(planned)) for one in nodes}
        self.request: list[str] = []
        self.raced: list[tuple[str, tuple]] = []  # node, key
        self.most: Counter[str] = Counter()  # at the same time on one node
        self.dies: Counter[str] = Counter()  # nodes, at the end of so many races
        self.crashes: Counter[str] = Counter()  # their process alone, at the end of a race
        self.comes: dict[int, Node] = {}  # after so many races
        self._tasks: dict[int, tuple[Node, Planned | None, object]] = {}
        self._num_sent = 0

    def nodes(self) -> list[Node]:
        return list(self.alive)

    def plan(self, node, grid) -> int:
        self.request.append(node.id)
        return self._send(node, None, None)

    def race(self, node, run, grid, has_lost) -> int:
        self.raced.append((node.id, run.key))
        number = self._send(node, run, has_lost)
        here = sum(one.id == node.id and run is not None for one, run, _ in self._tasks.values())
        self.most[node.id] = max(self.most[node.id], here)
        return number

    def _send(self, *task) -> int:
        self._num_sent += 1
        self._tasks[self._num_sent] = task
        return self._num_sent

    def news(self, timeout_s):
        number, (node, run, has_lost) = next(iter(self._tasks.items()))
        if node not in self.alive:
            return self._end(number, Lost("its node died"))
        if run is None:
            return self._end(number, self.facts[node.id])
        if (new := self.comes.pop(len(self.race_alone.raced), None)) is not None:
            self.facts[new.id] = Facts(found=facts(self.planned))
            self.alive.append(new)
        if self.dies[node.id] > 0:
            self.dies[node.id] -= 1
            if not self.dies[node.id]:
                self.alive.remove(node)
                return self._end(number, Lost("its node died"))
        if self.crashes[node.id] > 0:
            self.crashes[node.id] -= 1
            return self._end(number, Lost("its worker died"))
        return [(number, "50%  0:01 left"), *self._end(number, self._race(run, has_lost))]

    def _end(self, number, said):
        del self._tasks[number]
        return [(number, said)]

    def _race(self, run, has_lost) -> Brought:
        grid = self.planned.grid
        with tempfile.TemporaryDirectory() as out:
            ended = self.race_alone(arguments(run, grid), Path(out), lambda line: None, has_lost)
            for folder in Path(out).iterdir():
                files = {file.name: file.read_bytes() for file in folder.iterdir()}
                return Brought(ended=ended, name=folder.name, files=files)
        return Brought(ended=ended)


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch) -> None:
    monkeypatch.setattr("speedrun.sweep.scheduler.LOOK_S", 0.0)


def all_keys(planned: Plan) -> Counter[tuple]:
    return Counter(run.key for run in planned.runs)


def raced(cluster: FakeCluster) -> Counter[tuple]:
    return Counter(key for _, key in cluster.raced)


def test_every_race_is_raced_once_and_no_device_has_two(planned):
    cluster = FakeCluster(planned, node("1"), node("2"))
    state = race_on(cluster, planned, QUIET)
    assert raced(cluster) == all_keys(planned) and len(state.done) == 6
    assert cluster.most == {"1": 1, "2": 1}
    assert len(sweep_folder.records(planned.grid.out)[0]) == 6
    assert [run.key for run in planned.runs][:2] == [key for _, key in cluster.raced][:2]
    again = FakeCluster(planned, node("1"))
    race_on(again, planned, QUIET)
    assert not again.raced and not again.request


def test_a_machine_with_two_gpus_races_two_and_no_third(planned):
    cluster = FakeCluster(planned, node("1", num_devices=2))
    race_on(cluster, planned, QUIET)
    assert cluster.most == {"1": 2} and raced(cluster) == all_keys(planned)


def test_a_sweep_goes_on_here_or_there(planned):
    first = FakeRace(planned)
    first.stops_after = 2
    with pytest.raises(KeyboardInterrupt):
        run_all(planned, QUIET, first)
    cluster = FakeCluster(planned, node("1"))
    race_on(cluster, planned, QUIET)
    assert [key for _, key in cluster.raced] == [run.key for run in planned.runs[2:]]


def test_a_race_lost_with_its_machine_is_raced_once_more_elsewhere(planned, capsys):
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.dies["2"] = 2  # in its second race
    state = race_on(cluster, planned, PlainSweepView(Console()))
    assert len(state.done) == 6 and not state.failed
    (twice,) = [key for key, times in raced(cluster).items() if times > 1]
    assert [where for where, key in cluster.raced if key == twice] == ["2", "1"]
    assert raced(cluster) == all_keys(planned) + Counter([twice])
    records, _ = sweep_folder.records(planned.grid.out)
    assert len(records) == 6 and len({(r.num_params, r.seed) for r in records}) == 6
    shown = capsys.readouterr().out
    assert shown.count("was lost with 10.0.0.2 (its node died): it is raced once more") == 1
    assert " on 10.0.0.1; " in shown and " on 10.0.0.2; " in shown


def test_a_race_lost_twice_failed_and_the_rest_goes_on(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.crashes["1"] = 2
    state = race_on(cluster, planned, QUIET)
    (failure,) = state.failed.values()
    assert failure.key == planned.runs[0].key and failure.exit_code is None
    assert failure.error == "its machine was lost 2 times, last 10.0.0.1 (its worker died)"
    assert cluster.request == ["1", "1", "1"], "asked anew after each loss"
    assert len(state.done) == 5
    again = FakeCluster(planned, node("5"))
    assert len(race_on(again, planned, QUIET).done) == 6
    assert raced(again) == Counter([failure.key])


def test_the_live_table_shows_where_each_race_is(planned, monkeypatch):
    monkeypatch.setattr("speedrun.sweep.live.REFRESH_S", 0.0)
    console = Console(force_terminal=True, width=160, record=True, file=io.StringIO())
    with LiveSweepView(console) as view:
        race_on(FakeCluster(planned, node("1"), node("2")), planned, view)
    shown = console.export_text()
    assert "seed 0 on 10.0.0.1: " in shown and "seed 0 on 10.0.0.2: " in shown


def test_a_machine_that_loses_all_is_left_out(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.crashes["1"] = 100
    with pytest.raises(ValueError, match=r"the 5 race\(s\) that are left \(10.0.0.1: its worker"):
        race_on(cluster, planned, QUIET)
    assert len(cluster.raced) == MAX_LOSSES


@pytest.mark.parametrize("what", ["code", "settings", "train data", "held-out data"])
def test_a_machine_that_would_race_something_else_is_left_out(planned, what, capsys):
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.facts["2"] = Facts(found={**facts(planned), what: "0" * 64})
    race_on(cluster, planned, PlainSweepView(Console(width=500)))
    assert {where for where, _ in cluster.raced} == {"1"}
    assert f"10.0.0.2 is left out: {what} is {'0' * 12}, the sweep's" in capsys.readouterr().out


def test_no_machine_to_race_on_is_one_line_with_the_reasons(planned):
    cluster = FakeCluster(planned, node("1"), node("2"))
    cluster.facts["1"] = Facts(error="--data x: no such file")
    cluster.facts["2"] = Facts(found={**facts(planned), "hardware class": "cuda-h200"})
    with pytest.raises(ValueError) as refused:
        race_on(cluster, planned, QUIET)
    line = str(refused.value)
    assert "10.0.0.1: --data x: no such file; 10.0.0.2: hardware class is cuda-h200" in line
    with pytest.raises(ValueError, match="none has a device for them"):
        race_on(FakeCluster(planned), planned, QUIET)


def test_two_nodes_on_one_machine_do_not_race_at_the_same_time(planned, capsys):
    cluster = FakeCluster(planned, node("1", address="10.0.0.9"), node("2", address="10.0.0.9"))
    cluster.dies["1"] = 3
    race_on(cluster, planned, PlainSweepView(Console(width=500)))
    assert [where for where, _ in cluster.raced] == ["1"] * 3 + ["2"] * 4
    assert capsys.readouterr().out.count("two nodes of the cluster are on 10.0.0.9") == 1


def test_a_machine_that_comes_later_takes_part(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.comes[1] = node("2")
    race_on(cluster, planned, QUIET)
    assert {where for where, _ in cluster.raced} == {"1", "2"}
    assert raced(cluster) == all_keys(planned)


def test_a_race_that_fails_by_itself_is_not_raced_again(planned):
    cluster = FakeCluster(planned, node("1"))
    cluster.race_alone.fails = {planned.runs[1].key}
    state = race_on(cluster, planned, QUIET)
    (failure,) = state.failed.values()
    assert failure.error == "it broke" and raced(cluster) == all_keys(planned)


def test_a_record_of_another_track_is_a_failure_that_says_why(planned):
    """As when the data changes on a machine while a sweep runs."""
    cluster = FakeCluster(planned, node("1"))
    cluster.race_alone.changes = {"data__train_fingerprint": "0" * 64}
    state = race_on(cluster, planned, QUIET)
    assert len(state.failed) == 6
    error = next(iter(state.failed.values())).error
    assert error.startswith("its record does not count: train data is 000000000000, the sweep's")


def test_a_run_that_cannot_be_written_is_a_failure(planned, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_dir, "keep", full)
    state = race_on(FakeCluster(planned, node("1")), planned, QUIET)
    assert len(state.failed) == 6
    assert "No space left on device" in next(iter(state.failed.values())).error


def test_racing_stops_what_cannot_win_there_too(grid):
    sizes = (20_000, 30_000, 40_000, 60_000, 90_000)
    planned = plan(dataclasses.replace(grid, params=sizes), print)
    cluster = FakeCluster(planned, node("1"), node("2"))
    for number, size in enumerate(sizes):  # each a fifth worse than the one before
        curve = [(n / 100, 1.2**number * (3 - n / 100)) for n in range(1, 101)]
        cluster.race_alone.curves[size] = curve
    state = race_on(cluster, planned, QUIET, is_racing=True)
    assert not state.failed and {key[3] for key in state.stopped} == {1}
    assert len(state.stopped) >= 3


def test_a_kept_run_is_there_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    files = {"record.json": b"{}", "log.jsonl": b""}
    assert run_dir.keep(tmp_path, "run", files) == tmp_path / "run"
    assert run_dir.keep(tmp_path, "run", files) == tmp_path / "run.2"

    def stop(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(OSError, match="Input/output"):
        run_dir.keep(tmp_path, "other", files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.2"]


def test_paths_reach_other_machines_in_full(grid, stories, monkeypatch):
    monkeypatch.chdir(stories.parent)
    given = dataclasses.replace(
        grid, archs=("./mine", "lstm"), data=Data(path=stories.name, vocab=300, eval_docs=20)
    )
    there = from_anywhere(given)
    assert there.archs == (str(stories.parent / "mine"), "lstm")
    assert there.data.path == str(stories) and there.data.vocab == 300


def test_a_race_there_brings_its_whole_folder_and_leaves_nothing(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    *lines, brought = race_here(planned.runs[0], planned.grid)
    assert isinstance(brought, Brought)
    assert brought.ended.exit_code == 0, brought.ended.error
    assert {"record.json", "log.jsonl", "model.safetensors", "samples.txt"} <= set(brought.files)
    assert lines == list(dict.fromkeys(lines)), "a line is told once"
    assert not list((tmp_path / "there").iterdir())
    (tmp_path / "kept").mkdir()
    kept = run_dir.keep(tmp_path / "kept", brought.name, brought.files)
    records, problems = sweep_folder.records(kept.parent)
    assert planned.done(records) and not problems


def test_who_asks_no_longer_ends_the_race(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there"))
    (tmp_path / "there").mkdir()
    race = race_here(planned.runs[0], planned.grid)
    assert isinstance(next(race), str)
    assert len(list((tmp_path / "there").iterdir())) == 1
    race.close()
    alive = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    assert not [one for one in alive if "speedrun.sweep.child_main" in one.cmdline()]
    assert not list((tmp_path / "there").iterdir())
