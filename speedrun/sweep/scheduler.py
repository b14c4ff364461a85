"""A sweep on many machines: each race goes to a free device, and its run comes back here.

A machine first plans the sweep itself; one whose data, code or hardware class differ is left out
by name. A device runs one race at a time. A race whose machine is lost is run once more. Only this
process writes to the sweep's directory.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from speedrun.sweep.child import Ended
from speedrun.sweep.executor import Running, State, Watcher, begin, conclude, judge
from speedrun.sweep.grid import Plan, PlannedRace, differing
from speedrun.sweep.ray_worker import Brought, Facts, facts, plan_here, race_here
from speedrun.sweep.sweep_dir import Key
from speedrun.text import counted
from speedrun.training.runs import run_dir

POLL_S = 1.0
MAX_TRIES = 2  # of a race whose machine is lost
_WAITING = "waiting for its machine"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster. Two nodes with one address are one machine."""

    id: str
    address: str
    num_devices: int
    num_cpus: int  # for each device
    num_gpus: int = 0


@dataclass(frozen=True)
class Lost:
    """A task that ended without an answer: its process or its machine died."""

    error: str


Answer = str | Facts | Brought | Lost  # a task's last answer is no str


class Cluster(Protocol):
    """Runs tasks on machines: `speedrun.sweep.ray_executor`, or a stand-in of the tests."""

    def nodes(self) -> Sequence[Node]:
        """The nodes that are alive now."""
        ...

    def start(self, node: Node, function: Callable[..., Any], *arguments: Any) -> int:
        """Start a generator function on a node; returns the task's number."""
        ...

    def poll(self, timeout_s: float) -> Sequence[tuple[int, Answer]]:
        """The answers of tasks since the last call; waits for one at most this long."""
        ...


def run_on(cluster: Cluster, plan: Plan, watcher: Watcher, *, early_stop: bool = False) -> State:
    """Run the races that are left on every device of a cluster; compare `executor.run_all`.

    Raises ValueError when races are left and no machine could run them.
    """
    state = begin(plan, watcher, early_stop=early_stop)
    _Scheduler(cluster, state, watcher).run()
    watcher.state(state)
    return state


@dataclass
class _Machine:
    node: Node
    num_tasks: int = 0
    is_ready: bool = False
    left_out: str = ""  # the reason


class _Scheduler:
    def __init__(self, cluster: Cluster, state: State, watcher: Watcher) -> None:
        self._cluster, self._state, self._watcher = cluster, state, watcher
        self._grid = state.plan.grid.absolute()
        self._archs = dict(zip(state.plan.grid.archs, self._grid.archs, strict=True))
        self._wanted = facts(state.plan)
        self._machines: dict[str, _Machine] = {}
        self._tasks: dict[int, tuple[_Machine, Running | None]] = {}
        self._tries: Counter[Key] = Counter()

    def run(self) -> None:
        """Until every race is over."""
        while self._state.left or self._state.running:
            self._update_machines()
            free = [
                machine
                for machine in self._machines.values()
                if machine.is_ready
                for _ in range(machine.node.num_devices - machine.num_tasks)
            ]
            for race, machine in zip(self._state.left, free, strict=False):
                self._start_race(race, machine)
            if not self._tasks:
                raise ValueError(self._no_machine())
            if self._state.running:
                self._watcher.state(self._state)
            for task, answer in self._cluster.poll(POLL_S):
                self._handle(task, answer)

    def _update_machines(self) -> None:
        """Forget machines that are gone, and have new ones plan the sweep."""
        alive = {node.id: node for node in self._cluster.nodes()}
        for gone in self._machines.keys() - alive.keys():
            del self._machines[gone]  # its tasks will be lost
        for node in alive.values():
            # Two races at once on one machine would take each other's time.
            addresses = {machine.node.address for machine in self._machines.values()}
            if node.id not in self._machines and node.address not in addresses:
                self._machines[node.id] = machine = _Machine(node)
                self._start(machine, None, plan_here, self._grid)
        ready = [one.node.num_devices for one in self._machines.values() if one.is_ready]
        self._state.num_devices = max(1, sum(ready))

    def _start_race(self, race: PlannedRace, machine: _Machine) -> None:
        self._tries[race.key] += 1
        running = Running(race, machine.node.address, _WAITING)
        self._state.running[race.key] = running
        request = dataclasses.replace(
            race.request, arch=self._archs[race.request.arch], data=self._grid.base.data
        )
        self._start(machine, running, race_here, request, judge(race, self._state))

    def _start(self, machine: _Machine, running: Running | None, function: Any, *args: Any) -> None:
        self._tasks[self._cluster.start(machine.node, function, *args)] = machine, running
        machine.num_tasks += 1

    def _handle(self, task: int, answer: Answer) -> None:
        machine, running = self._tasks[task]
        if isinstance(answer, str):
            assert running is not None
            if running.line == _WAITING:
                running.since_s = time.monotonic()
            running.line = answer
            return
        del self._tasks[task]
        machine.num_tasks -= 1
        if running is None:
            assert not isinstance(answer, Brought)
            found = answer.found if isinstance(answer, Facts) else {}
            self._admit(machine, answer.error or differing(found, self._wanted))
        elif isinstance(answer, Brought):
            conclude(running.race, self._kept(answer), self._state, self._watcher)
        else:
            self._retry(running.race, machine, answer.error)

    def _admit(self, machine: _Machine, problem: str | None) -> None:
        name = machine.node.address
        machine.is_ready, machine.left_out = not problem, problem or ""
        if problem:
            self._watcher.notice(f"{name} is left out: {problem}")
        else:
            self._watcher.notice(
                f"{name} takes part: {counted(machine.node.num_devices, 'race')} at a time"
            )

    def _retry(self, race: PlannedRace, machine: _Machine, error: str) -> None:
        """Queue a lost race again, and check its machine before it gets another."""
        if machine.is_ready:
            machine.is_ready = False
            self._start(machine, None, plan_here, self._grid)
        where = f"{machine.node.address} ({error})"
        if self._tries[race.key] < MAX_TRIES:
            del self._state.running[race.key]
            self._watcher.notice(f"{race.label} was lost with {where}: it is run once more")
        else:
            error = f"its machine was lost {MAX_TRIES} times, last {where}"
            conclude(race, Ended(exit_code=None, error=error), self._state, self._watcher)

    def _kept(self, brought: Brought) -> Ended:
        """The end of a race whose run is written to the sweep's directory."""
        ended, out = brought.ended, self._state.plan.out
        if ended.run is None:
            return ended
        try:
            run = run_dir.keep(out, ended.run.name, brought.files)
        except OSError as error:
            return Ended(exit_code=1, error=f"--out {out}: cannot write ({error.strerror})")
        return dataclasses.replace(ended, run=run)

    def _no_machine(self) -> str:
        reasons = [f"{m.node.address}: {m.left_out}" for m in self._machines.values() if m.left_out]
        return (
            f"no machine of the cluster can run the {counted(len(self._state.left), 'race')} left"
            f" ({'; '.join(reasons) or 'none has a device for them'}); the same command resumes"
            " later"
        )
