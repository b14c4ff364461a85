"""A sweep on many machines: which race goes to which device, and what becomes of it.

A machine is first asked to plan the sweep itself; where its data, code or hardware class make
that another sweep, it is left out. A device races one race at a time. A race whose machine is lost
is raced once more. Records come back here, and only here is the sweep's folder written to.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from speedrun.sweep.child import Ended
from speedrun.sweep.early_stopping import Curve
from speedrun.sweep.executor import State, UnderWay, Watcher, begin, conclude, loses
from speedrun.sweep.grid import Grid, Plan, Planned, differing
from speedrun.sweep.ray_worker import Brought, Facts, facts, from_anywhere
from speedrun.training import run_dir

POLL_S = 1.0
LOOK_S = 5.0  # between looks at which machines there are
MAX_TRIES = 2  # of a race whose machine is lost
MAX_LOSSES = 3  # in a row on one machine, then it is left out
_WAITING = "waiting for its machine"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of a cluster, or what the cluster takes for one."""

    id: str
    address: str  # two nodes of one address are one machine
    num_devices: int
    num_cpus: int  # for each device
    num_gpus: int = 0


@dataclass(frozen=True)
class Lost:
    """A task that ended without an answer: its process or its machine died."""

    error: str


Task = Hashable
News = tuple[Task, str | Facts | Brought | Lost]


class Cluster(Protocol):
    """What carries tasks to machines: `speedrun.sweep.ray_executor`, or a test's stand-in."""

    def nodes(self) -> Sequence[Node]:
        """Those alive now."""
        ...

    def plan(self, node: Node, grid: Grid) -> Task: ...

    def race(
        self, node: Node, run: Planned, grid: Grid, has_lost: Callable[[Curve], bool] | None
    ) -> Task: ...

    def news(self, timeout_s: float) -> Sequence[News]:
        """What tasks said since; the last of a task is no line."""
        ...


def race_on(cluster: Cluster, planned: Plan, watcher: Watcher, *, is_racing: bool = False) -> State:
    """Race what is left on every device of a cluster; as `runs.run_all` does one after another.

    Raises ValueError when races are left and no machine is that could race them.
    """
    state = begin(planned, watcher, is_racing)
    _Dispatcher(cluster, state, watcher, is_racing).run()
    watcher.state(state)
    return state


@dataclass
class _Machine:
    node: Node
    standing: Literal["new", "asked", "ready", "out"] = "new"
    num_tasks: int = 0
    num_losses: int = 0
    is_doubled: bool = False  # another node is the same machine
    why: str = ""  # it is left out


@dataclass(frozen=True)
class _Sent:
    machine: _Machine
    race: UnderWay | None = None  # None: asked to plan


class _Dispatcher:
    def __init__(self, cluster: Cluster, state: State, watcher: Watcher, is_racing: bool) -> None:
        self._cluster, self._state, self._watcher = cluster, state, watcher
        self._is_racing = is_racing
        grid = state.plan.grid
        self._grid = from_anywhere(grid)
        self._archs = dict(zip(grid.archs, self._grid.archs, strict=True))
        self._wanted = facts(state.plan)
        self._machines: dict[str, _Machine] = {}
        self._sent: dict[Task, _Sent] = {}
        self._tries: Counter[tuple] = Counter()
        self._looked_s = float("-inf")

    def run(self) -> None:
        while self._state.left or self._state.running:
            self._look_around()
            self._hand_out()
            if not self._sent:
                raise ValueError(self._nobody())
            if self._state.running:
                self._watcher.state(self._state)
            for task, said in self._cluster.news(POLL_S):
                self._take(task, said)

    def _look_around(self) -> None:
        """Take in machines that came, forget those that went, and ask who is new."""
        if time.monotonic() - self._looked_s < LOOK_S and self._sent:
            return
        self._looked_s = time.monotonic()
        alive = {node.id: node for node in self._cluster.nodes()}
        for gone in self._machines.keys() - alive.keys():
            self._machines[gone].standing = "new"  # nothing more for it; its tasks will be lost
            if not self._machines[gone].num_tasks:
                del self._machines[gone]
        for key, node in alive.items():
            self._machines.setdefault(key, _Machine(node))
        for machine in self._machines.values():
            if machine.standing == "new" and machine.node.id in alive:
                self._ask(machine)
        ready = [one for one in self._machines.values() if one.standing == "ready"]
        self._state.num_devices = max(1, sum(one.node.num_devices for one in ready))

    def _ask(self, machine: _Machine) -> None:
        """Have a machine plan the sweep, unless another of its nodes races already."""
        address = machine.node.address
        others = [one for one in self._machines.values() if one is not machine]
        if any(one.node.address == address and one.standing != "new" for one in others):
            if not machine.is_doubled:
                machine.is_doubled = True
                self._watcher.notice(
                    f"two nodes of the cluster are on {address}: one races, since two at once would"
                    " take each other's time"
                )
            return
        machine.standing = "asked"
        self._send(self._cluster.plan(machine.node, self._grid), _Sent(machine))

    def _hand_out(self) -> None:
        left = self._state.left
        for machine in self._machines.values():
            free = machine.node.num_devices - machine.num_tasks
            while machine.standing == "ready" and free > 0 and left:
                self._race(left.pop(0), machine)
                free -= 1

    def _race(self, run: Planned, machine: _Machine) -> None:
        self._tries[run.key] += 1
        race = UnderWay(run, where=machine.node.address, doing=_WAITING)
        self._state.running[run.key] = race
        sent = dataclasses.replace(run, arch=self._archs[run.arch])
        judge = loses(run, self._state) if self._is_racing else None
        self._send(self._cluster.race(machine.node, sent, self._grid, judge), _Sent(machine, race))

    def _send(self, task: Task, sent: _Sent) -> None:
        self._sent[task] = sent
        sent.machine.num_tasks += 1

    def _take(self, task: Task, said: str | Facts | Brought | Lost) -> None:
        sent = self._sent[task]
        if isinstance(said, str):
            assert sent.race is not None
            if sent.race.doing == _WAITING:
                sent.race.since = time.monotonic()
            sent.race.doing = said
            return
        del self._sent[task]
        sent.machine.num_tasks -= 1
        if isinstance(said, Facts):
            self._judge(sent.machine, said)
        elif isinstance(said, Lost):
            self._doubt(sent.machine, said)
            if sent.race is not None:
                self._lose(sent.race.run, sent.machine.node.address, said)
        elif sent.race is not None:
            sent.machine.num_losses = 0
            self._keep(sent.race.run, said)

    def _judge(self, machine: _Machine, said: Facts) -> None:
        if machine.standing != "asked":
            return
        address, num_devices = machine.node.address, machine.node.num_devices
        why = said.error or differing(said.found, self._wanted)
        if why:
            self._leave_out(machine, why)
            return
        machine.standing = "ready"
        self._looked_s = float("-inf")  # the outlook is another
        self._watcher.notice(f"{address} takes part: {num_devices} race(s) at a time")

    def _doubt(self, machine: _Machine, lost: Lost) -> None:
        """Whoever lost a task is asked anew before it gets another."""
        machine.num_losses += 1
        self._looked_s = float("-inf")
        if machine.standing == "out":
            return
        if machine.num_losses >= MAX_LOSSES:
            self._leave_out(machine, lost.error)
        elif not any(one.machine is machine and one.race is None for one in self._sent.values()):
            machine.standing = "new"

    def _leave_out(self, machine: _Machine, why: str) -> None:
        machine.standing, machine.why = "out", why
        self._watcher.notice(f"{machine.node.address} is left out: {why}")

    def _lose(self, run: Planned, where: str, lost: Lost) -> None:
        if self._tries[run.key] < MAX_TRIES:
            del self._state.running[run.key]
            self._watcher.notice(
                f"{run.label} was lost with {where} ({lost.error}): it is raced once more"
            )
        else:
            error = f"its machine was lost {MAX_TRIES} times, last {where} ({lost.error})"
            conclude(run, Ended(None, error), self._state, self._watcher)

    def _keep(self, run: Planned, brought: Brought) -> None:
        ended = brought.ended
        out = self._state.plan.grid.out
        if brought.name:
            try:
                run_dir.keep(out, brought.name, brought.files)
            except OSError as error:
                ended = Ended(1, f"--out {out}: cannot write there ({error.strerror})")
        conclude(run, ended, self._state, self._watcher)

    def _nobody(self) -> str:
        out = [f"{one.node.address}: {one.why}" for one in self._machines.values() if one.why]
        return (
            f"no machine of the cluster can race the {len(self._state.left)} race(s) that are left"
            f" ({'; '.join(out) or 'none has a device for them'}); the same command goes on later"
        )
