"""A sweep on a real Ray cluster: three nodes on this machine, one of which is killed."""

import contextlib
import importlib.util
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from helpers.command_line import refused
from helpers.folders import write_stories

from speedrun.records.schema import load
from speedrun.sweep import sweep_dir

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.ray, pytest.mark.slow]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install -e '.[ray]'"
)
needs_loopback = pytest.mark.skipif(
    sys.platform != "linux", reason="nodes with addresses of their own on one machine: Linux only"
)
# Runs in every Python of a node; in that of a race it notes that it is alive, until it is not.
MARKER = """
import json, os, sys, threading, time

def mark():
    with open(os.environ["RACES_OF_NODE"], "a") as file:
        while True:
            file.write(json.dumps([os.getpid(), time.time()]) + "\\n")
            file.flush()
            time.sleep(0.02)

if "speedrun.sweep.child" in sys.orig_argv and "RACES_OF_NODE" in os.environ:
    threading.Thread(target=mark, daemon=True).start()
"""
RACES = (
    "--arch transformer --params 20K,40K --seeds 2 --device cpu --vocab 300 --eval-docs 20"
    " --tune off --set model.context=32 --set recipe.compile=false"
)
ALIVE = (
    "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='CRITICAL');"
    " print(*(node['NodeManagerAddress'] for node in ray.nodes() if node['Alive']))"
)


class Interval(NamedTuple):
    """A race's process on a node, from its first sign of life to its last."""

    start: float
    end: float


class Nodes:
    """A Ray cluster: a head that races nothing and, on addresses of their own, nodes that do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        with socket.socket() as free:
            free.bind(("127.0.0.10", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.10:{port}"
        self.cache = folder / "cache"  # of all nodes
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(MARKER)
        words = f"--head --port {port} --num-cpus 0 --include-dashboard false --temp-dir {folder}"
        self._start("127.0.0.10", words)

    def add(self, address: str) -> None:
        """Wait until it is there; on a busy machine Ray gives a node up that starts slowly."""
        for _ in range(3):
            self._start(address, f"--address {self.address} --num-cpus 1")
            while self._started[address].poll() is None:
                if address in self.alive():
                    return
                time.sleep(1)
        raise AssertionError((self._folder / f"{address}.txt").read_text())

    def _start(self, address: str, words: str) -> None:
        env = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RACES_OF_NODE": str(self._log(address)),
            "PYTHONPATH": os.pathsep.join([str(self._folder / "site"), str(ROOT)]),
            # Ray would end races, too; that they end by themselves is to be seen.
            "RAY_kill_child_processes_on_worker_exit": "false",
            "SPEEDRUN_CACHE": str(self.cache),
        }
        always = f"-m ray.scripts.scripts start --block --node-ip-address {address}"
        words = f"{always} --object-store-memory 80000000 {words}"
        with (self._folder / f"{address}.txt").open("wb") as output:
            self._started[address] = subprocess.Popen(
                [sys.executable, *words.split()],
                env=env,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )

    def _log(self, address: str) -> Path:
        return self._folder / f"{address}.jsonl"

    def kill(self, address: str) -> None:
        """The node's daemon alone, at once: what it started has to notice."""
        (daemon,) = [
            child
            for child in psutil.Process(self._started[address].pid).children(recursive=True)
            if child.name() == "raylet"
        ]
        daemon.kill()

    def intervals(self, address: str) -> list[Interval]:
        seen: dict[int, list[float]] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self._log(address).read_text().splitlines():
                with contextlib.suppress(ValueError):  # cut short by a kill
                    pid, when = json.loads(line)
                    seen.setdefault(pid, []).append(when)
        return [Interval(min(times), max(times)) for times in seen.values()]

    def alive(self) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", ALIVE, self.address],
            capture_output=True,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
        return set(done.stdout.split())

    def stop(self) -> None:
        for process in reversed(self._started.values()):
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                for one in [*parent.children(recursive=True), parent]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()
            process.wait()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    # Ray's sockets want a short path.
    with tempfile.TemporaryDirectory(prefix="ray-test-") as folder:
        started = Nodes(Path(folder))
        try:
            wait_until(started.alive)
            started.add("127.0.0.11")
            started.add("127.0.0.12")
            yield started
        finally:
            started.stop()


def wait_until(holds, timeout_s: float = 90.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.2)


def start(nodes: Nodes, tmp_path: Path, minutes: float) -> subprocess.Popen[str]:
    stories = tmp_path / "stories.jsonl"
    if not stories.exists():
        write_stories(stories)
    words = f"sweep --on ray --address {nodes.address} {RACES} --minutes {minutes}".split()
    words += ["--data", str(stories), "--out", str(tmp_path / "sweep")]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(sweep: subprocess.Popen[str], *words: str) -> str:
    assert sweep.stdout is not None and sweep.stderr is not None
    shown = ""
    while line := sweep.stdout.readline():
        shown += line
        if all(word in line for word in words):
            return shown
    raise AssertionError(shown + sweep.stderr.read())


def assert_one_at_a_time(nodes: Nodes) -> None:
    for address in ("127.0.0.11", "127.0.0.12"):
        in_turn = sorted(nodes.intervals(address))
        assert in_turn, f"{address} raced nothing"
        for before, after in itertools.pairwise(in_turn):
            assert before.end < after.start, f"{before} and {after} on {address}"


@needs_ray
@needs_loopback
def test_a_node_that_is_killed_costs_no_race(nodes, tmp_path):
    sweep = start(nodes, tmp_path, 0.03)
    shown = read_until(sweep, "racing", "on 127.0.0.12")
    wait_until(lambda: nodes.intervals("127.0.0.12"))
    nodes.kill("127.0.0.12")
    killed = time.time()
    rest, errors = sweep.communicate(timeout=240)
    shown += rest
    assert sweep.returncode == 0, shown + errors
    assert "was lost with 127.0.0.12" in shown and "4 of 4 done" in shown
    paths = list((tmp_path / "sweep").glob("*/record.json"))
    assert len({(r.config["seed"], r.num_params) for r in map(load, paths)}) == len(paths) == 4
    assert all(path.with_name("model.safetensors").exists() for path in paths)
    assert not sweep_dir.failures(tmp_path / "sweep")
    assert sum(len(nodes.intervals(f"127.0.0.{n}")) for n in (11, 12)) == 5, "one race ran twice"
    assert_one_at_a_time(nodes)
    assert max(one.end for one in nodes.intervals("127.0.0.12")) < killed + 8, "it raced on"
    assert not errors and "raylet" not in shown, "Ray talks"


@needs_ray
@needs_loopback
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_stopped_takes_its_races_along_and_goes_on_later(nodes, tmp_path, how):
    # Five minutes: nothing is said for half a minute, so that no broken pipe ends a race.
    sweep = start(nodes, tmp_path, 5)
    read_until(sweep, "racing", "on 127.0.0.11")
    wait_until(lambda: is_training(nodes))
    sweep.send_signal(how)
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == (130 if how == signal.SIGINT else -9)
    assert how == signal.SIGKILL or "run the same command to resume" in errors
    wait_until(lambda: not races_alive(nodes), 10)
    assert not list((tmp_path / "sweep").glob("*/record.json"))
    ended = time.time()
    sweep = start(nodes, tmp_path, 5)
    read_until(sweep, "racing", "on 127.0.0.11")
    wait_until(lambda: any(one.start > ended for one in nodes.intervals("127.0.0.11")))
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=60)


def is_training(nodes: Nodes) -> bool:
    return any(log.stat().st_size > 1 for log in nodes.cache.glob("ray/*/.*/log.jsonl"))


def races_alive(nodes: Nodes) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            is_of_nodes = process.environ().get("SPEEDRUN_CACHE") == str(nodes.cache)
            if is_of_nodes and "speedrun.sweep.child" in process.cmdline():
                found.append(process)
    return found


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "10.255.255.1:6379", "127.0.0.1:99999"])
def test_an_address_that_does_not_answer_is_one_line_in_seconds(address, tmp_path):
    began_s = time.monotonic()
    line = refused("sweep", "--on", "ray", "--address", address, "--out", tmp_path / "sweep")
    assert line.startswith(f"error: --address {address}: no Ray cluster to join (")
    assert time.monotonic() - began_s < 30 and not list(tmp_path.iterdir())
