"""The races of a sweep as tasks of a Ray cluster; the only file that names Ray.

A task names its node and takes all processors of it, or one GPU and its share of them, so that
Ray gives them to nobody else meanwhile. It is a generator: what a race says comes while it runs,
the run itself last. Ray retries nothing: what was raced, and how often, is the sweep's to know.
"""

import contextlib
import functools
import importlib
import importlib.util
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from speedrun.sweep.early_stopping import Curve
from speedrun.sweep.executor import State, Watcher
from speedrun.sweep.grid import Grid, Plan, Planned
from speedrun.sweep.ray_worker import plan_here, race_here
from speedrun.sweep.scheduler import Lost, News, Node, race_on
from speedrun.system.subprocesses import environment

ANSWER_S = 5.0  # for a connection to the head
_TRIAL_S = 20.0  # for joining it, with the start of a process and of Ray
_JOIN = "import sys; from speedrun.sweep.ray_executor import join; join(sys.argv[1])"
# Before Ray is imported: it would ask the network where it runs, and print pages of its daemons'
# logs when a node dies.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}
# It would wait a minute for a head, and another for a node on this machine.
_IMPATIENT = {
    "RAY_gcs_server_request_timeout_seconds": "10",
    "RAY_gcs_server_port_wait_time_s": "5",
}


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Callable[..., State]]:
    """What races on a cluster; ValueError where Ray is missing or no cluster answers."""
    if importlib.util.find_spec("ray") is None:
        raise ValueError(
            "--on ray: Ray is not installed here; install it with: pip install -e '.[ray]'"
        )
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    _knock(where)
    ray = join(where)
    try:
        yield functools.partial(_race_all, ray)
    finally:
        ray.shutdown()


def _race_all(ray: Any, planned: Plan, watcher: Watcher, *, is_racing: bool = False) -> State:
    by_gpu = planned.shared["hardware class"].startswith("cuda-")
    return race_on(RayCluster(ray, by_gpu=by_gpu), planned, watcher, is_racing=is_racing)


def join(address: str) -> Any:
    os.environ.update(_QUIET)
    ray: Any = importlib.import_module("ray")
    ray.init(
        address=address,
        log_to_driver=False,
        logging_level="CRITICAL",
        runtime_env={"env_vars": {"RAY_worker_niceness": "0"}},  # 15, else: a race is no background
    )
    return ray


def _knock(address: str) -> None:
    """ValueError unless a cluster can be joined there.

    Tried in another process: where something is amiss Ray waits for minutes or ends the process.
    """
    if address != "auto":
        _call(address)
    words = [sys.executable, "-P", "-c", _JOIN, address]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_S,
            env={**environment(), **_IMPATIENT},
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"--address {address}: no Ray cluster answered within {_TRIAL_S:.0f} s"
        ) from None
    if done.returncode:
        raise ValueError(
            f"--address {address}: cannot join a Ray cluster ({_last_line(done.stderr)});"
            " start one with 'ray start --head', and run this on one of its machines"
        )


def _call(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not host or not port.isdecimal():
        raise ValueError(f"--address {address}: give host:port of the cluster's head, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else str(error)
        raise ValueError(
            f"--address {address}: no Ray cluster answers there ({why}); start one with"
            " 'ray start --head', or give another"
        ) from None


class RayCluster:
    """A `speedrun.sweep.scheduler.Cluster` of Ray's."""

    def __init__(self, ray: Any, *, by_gpu: bool) -> None:
        self._ray, self._by_gpu = ray, by_gpu
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        self._on_node = strategies.NodeAffinitySchedulingStrategy
        # A process for each task: what a plan has imported is no burden to the race after it.
        remote = ray.remote(max_calls=1, max_retries=0, num_returns="streaming")
        self._plan, self._race = remote(plan_here), remote(race_here)
        self._tasks: dict[int, Any] = {}  # the generators of their answers
        self._numbers = itertools.count()

    def nodes(self) -> list[Node]:
        out = []
        for node in self._ray.nodes():
            has = node["Resources"]
            num_cpus, num_gpus = int(has.get("CPU", 0)), int(has.get("GPU", 0))
            num_devices = num_gpus if self._by_gpu else min(num_cpus, 1)
            if node["Alive"] and num_devices:
                out.append(
                    Node(
                        id=node["NodeID"],
                        address=node["NodeManagerAddress"],
                        num_devices=num_devices,
                        num_cpus=num_cpus // num_devices,
                        num_gpus=int(self._by_gpu),
                    )
                )
        return out

    def plan(self, node: Node, grid: Grid) -> int:
        return self._send(self._plan, node, grid)

    def race(
        self, node: Node, run: Planned, grid: Grid, has_lost: Callable[[Curve], bool] | None
    ) -> int:
        return self._send(self._race, node, run, grid, has_lost)

    def _send(self, function: Any, node: Node, *arguments: Any) -> int:
        number = next(self._numbers)
        task = function.options(
            num_cpus=node.num_cpus,
            num_gpus=node.num_gpus,
            scheduling_strategy=self._on_node(node.id, soft=False),
        )
        self._tasks[number] = task.remote(*arguments)
        return number

    def news(self, timeout_s: float) -> Sequence[News]:
        tasks = list(self._tasks.values())
        ready, _ = self._ray.wait(tasks, num_returns=1, timeout=timeout_s)
        numbers = [key for key, task in self._tasks.items() if any(task is one for one in ready)]
        return [(number, self._next(number)) for number in numbers]

    def _next(self, number: int) -> Any:
        try:
            said = self._ray.get(next(self._tasks[number]))
        except StopIteration:
            said = Lost("ended without an answer")
        except self._ray.exceptions.RayError as error:
            said = Lost(_last_line(str(error)).partition(". ")[0])
        if not isinstance(said, str):
            del self._tasks[number]
        return said


def _last_line(text: str) -> str:
    """Of what Ray says in many lines, the one that says it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it does not say why"
