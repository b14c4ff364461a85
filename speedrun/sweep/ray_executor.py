"""The tasks of a sweep on a Ray cluster; the only file that names Ray.

A task names its node and takes all processors of it, or one GPU and its share of them, so that
Ray gives them to no other task. It is a generator: lines of progress come while it runs, the run
itself last. Ray retries nothing: the scheduler knows which races ran, and how often.
"""

import contextlib
import importlib
import importlib.util
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from speedrun.sweep.executor import State, Watcher
from speedrun.sweep.grid import Plan
from speedrun.sweep.scheduler import Answer, Lost, Node, run_on
from speedrun.system.subprocesses import environment

_CONNECT_S = 20.0  # with the start of a process and of Ray
_JOIN = "import sys; from speedrun.sweep.ray_executor import join; join(sys.argv[1])"
# Before Ray is imported: it would look up usage statistics on the network, and print the logs of
# its daemons when a node dies.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Callable[..., State]]:
    """A counterpart of `run_all` on a cluster; ValueError without Ray or where none answers."""
    if importlib.util.find_spec("ray") is None:
        raise ValueError(
            "--on ray: Ray is not installed here; install it with: pip install -e '.[ray]'"
        )
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    _try_to_join(where)
    ray = join(where)

    def run_all(plan: Plan, watcher: Watcher, *, early_stop: bool = False) -> State:
        by_gpu = plan.shared["hardware class"].startswith("cuda-")
        return run_on(RayCluster(ray, by_gpu=by_gpu), plan, watcher, early_stop=early_stop)

    try:
        yield run_all
    finally:
        ray.shutdown()


def join(address: str) -> Any:
    """Connect to a cluster; returns the module of Ray."""
    os.environ.update(_QUIET)
    ray: Any = importlib.import_module("ray")
    ray.init(
        address=address,
        log_to_driver=False,
        logging_level="CRITICAL",
        runtime_env={"env_vars": {"RAY_worker_niceness": "0"}},  # by default 15
    )
    return ray


def _try_to_join(address: str) -> None:
    """ValueError unless a cluster can be joined there.

    In another process: where an address is wrong, Ray waits for minutes or ends the process.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _JOIN, address],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CONNECT_S,
            env={**environment(), "RAY_gcs_server_request_timeout_seconds": "10"},
            stdin=subprocess.DEVNULL,
        )
        problem = "" if done.returncode == 0 else _last_line(done.stderr)
    except subprocess.TimeoutExpired:
        problem = f"no answer within {_CONNECT_S:.0f} s"
    if problem:
        raise ValueError(
            f"--address {address}: no Ray cluster to join ({problem}); give host:port of its head,"
            " start one with 'ray start --head', and run this on one of its machines"
        )


class RayCluster:
    """The `speedrun.sweep.scheduler.Cluster` of Ray."""

    def __init__(self, ray: Any, *, by_gpu: bool) -> None:
        self._ray, self._by_gpu = ray, by_gpu
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        self._on_node = strategies.NodeAffinitySchedulingStrategy
        self._tasks: dict[int, Any] = {}  # the generators of their answers
        self._numbers = itertools.count()

    def nodes(self) -> list[Node]:
        """The nodes that are alive and have a device."""
        found = []
        for node in self._ray.nodes():
            num_cpus = int(node["Resources"].get("CPU", 0))
            num_gpus = int(node["Resources"].get("GPU", 0))
            num_devices = num_gpus if self._by_gpu else min(num_cpus, 1)
            if node["Alive"] and num_devices:
                found.append(
                    Node(
                        id=node["NodeID"],
                        address=node["NodeManagerAddress"],
                        num_devices=num_devices,
                        num_cpus=num_cpus // num_devices,
                        num_gpus=int(self._by_gpu),
                    )
                )
        return found

    def start(self, node: Node, function: Callable[..., Any], *arguments: Any) -> int:
        """Start a generator function on a node, in a process of its own; its number."""
        task = self._ray.remote(
            max_calls=1,
            max_retries=0,
            num_returns="streaming",
            num_cpus=node.num_cpus,
            num_gpus=node.num_gpus,
            scheduling_strategy=self._on_node(node.id, soft=False),
        )(function)
        number = next(self._numbers)
        self._tasks[number] = task.remote(*arguments)
        return number

    def poll(self, timeout_s: float) -> Sequence[tuple[int, Answer]]:
        """The answers of tasks since the last call."""
        tasks = list(self._tasks.values())
        ready, _ = self._ray.wait(tasks, num_returns=1, timeout=timeout_s)
        numbers = [key for key, task in self._tasks.items() if any(task is one for one in ready)]
        return [(number, self._answer(number)) for number in numbers]

    def _answer(self, number: int) -> Answer:
        try:
            answer = self._ray.get(next(self._tasks[number]))
        except StopIteration:
            answer = Lost("ended without an answer")
        except self._ray.exceptions.RayError as error:
            answer = Lost(_last_line(str(error)).partition(". ")[0])
        if not isinstance(answer, str):
            del self._tasks[number]
        return answer


def _last_line(text: str) -> str:
    """The last line of a long message, which says the most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
