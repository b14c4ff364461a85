"""Measurement of all cases in turn, so that a slow minute of the machine meets them all."""

import contextlib
import dataclasses
import functools
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from speedrun.bench import workload
from speedrun.bench.cases import Case
from speedrun.bench.result import SCHEMA, Bench
from speedrun.data import heldout, open
from speedrun.system import git, hardware
from speedrun.system.subprocesses import Child, ChildError
from speedrun.text import parse_minutes
from speedrun.training.runs import record

DEFAULT_REPEATS = 5
FEW_REPEATS, SLOW_S = 3, 3.0  # without --repeats: of what takes longer than this
MIN_REPEATS = 3  # of a bench by --minutes
# Scoring and sampling come before training: their weights must be the same at every repeat.
_KINDS = {"score": "scoring", "sample": "sampling", "train": "training"}
_OTHERS_WORK = {"idle", "iowait", "steal", "guest", "guest_nice"}  # of no process here

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Number of repeats, or seconds for all of them; None for DEFAULT_REPEATS."""

    repeats: int | None = None
    budget_s: float | None = None
    with_profile: bool = False

    @classmethod
    def parse(cls, repeats: int | None, minutes: str | None, *, with_profile: bool) -> "Effort":
        """The effort of the options; raises ValueError for wrong ones."""
        if repeats is not None and minutes is not None:
            raise ValueError("--repeats and --minutes contradict each other: give one of them")
        if repeats is not None and not 1 <= repeats <= 1000:
            raise ValueError(f"--repeats {repeats}: allowed are 1 to 1000")
        budget_s = None if minutes is None else parse_minutes(minutes)
        return cls(repeats=repeats, budget_s=budget_s, with_profile=with_profile)

    def is_enough(self, num_rounds: int, spent_s: float) -> bool:
        """Whether one kind of measurement was repeated often enough."""
        if self.budget_s is None:
            return num_rounds >= (self.repeats or DEFAULT_REPEATS)
        # A third of the time for each kind; no round is begun that would not fit.
        round_s = spent_s / max(1, num_rounds)
        return num_rounds >= MIN_REPEATS and spent_s + round_s > self.budget_s / len(_KINDS)


def measure(
    cases: Sequence[Case],
    effort: Effort,
    *,
    phase: Say,
    notice: Say,
    start: Callable[[], Any] = lambda: Child(workload.__name__),
) -> Bench:
    """Measure every case in a process of its own; one that fails is left behind.

    Raises ValueError where none can be measured.
    """
    load_per_core = hardware.load_per_core()  # before anything of ours is in it
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speedrun-bench-")))
        # Every process gives the same notices of the data; each is passed on once.
        running = Running(start, functools.cache(notice))
        stack.callback(running.kill)
        for number, case in enumerate(cases):
            phase(f"building {case.name} ({number + 1} of {len(cases)})")
            running.add(case, scratch / str(number))
        load_since = watch(running.pids())
        repeats = take_rounds(running, effort, phase)
        load = load_since()
        if effort.with_profile:
            phase("profiling training steps")
            running.each("profile", is_vital=False)
        rows = running.each("row")
    if not rows:
        first = running.failed[0]
        raise ValueError(f"nothing could be measured: {first['variant']}: {first['error']}")
    machine = hardware.machine()
    return Bench.model_validate(
        {
            "schema": SCHEMA,
            **record.provenance(git.code_version()),
            "cpu": machine.cpu,
            "cores": machine.cores,
            "data": _data(cases[0]),
            "settings": {
                "repeats": repeats,
                "burst_s": workload.BURST_S,
                "num_docs": workload.NUM_DOCS,
                "story_tokens": workload.STORY_TOKENS,
            },
            "load": {"load_per_core": load_per_core, **load},
            "rows": rows,
            "failed": running.failed,
        }
    )


class Running:
    """Cases that can still be measured, each in its child process."""

    def __init__(self, start: Callable[[], Any], notice: Say) -> None:
        self._start, self._notice = start, notice
        self._children: dict[str, Any] = {}  # by the name of the case
        self._started: list[Any] = []
        self._taken_s: dict[tuple[str, str], float] = {}  # by the last call of a method
        self.failed: list[dict[str, str]] = []

    def add(self, case: Case, scratch: Path) -> None:
        """Build and warm up a case."""
        with self._noting(case.name):
            child = self._start()
            self._started.append(child)
            values = {**dataclasses.asdict(case), "scratch": str(scratch)}
            child.call("start", notice=self._notice, **values)
            child.call("prepare", notice=self._notice)
            self._children[case.name] = child

    def pids(self) -> list[int]:
        """Processes of the cases."""
        return [child.pid for child in self._children.values()]

    def each(self, method: str, *, is_vital: bool = True, longest_s: float = math.inf) -> list[Any]:
        """Results of a method of all cases in turn; a failure in what is vital ends a case.

        Cases for which the method took longer than `longest_s` before are left out.
        """
        results = []
        for name, child in list(self._children.items()):
            if self._taken_s.get((name, method), 0.0) > longest_s:
                continue
            with self._noting(name, is_vital=is_vital):
                started_s = time.monotonic()
                results.append(child.call(method, notice=self._notice))
                self._taken_s[name, method] = time.monotonic() - started_s
        return results

    def kill(self) -> None:
        """End all processes."""
        for child in self._started:
            child.kill()

    @contextlib.contextmanager
    def _noting(self, name: str, *, is_vital: bool = True) -> Iterator[None]:
        try:
            yield
        except ChildError as error:
            self.failed.append({"variant": name, "error": str(error)})
            if is_vital:
                self._children.pop(name, None)


def take_rounds(
    running: Running, effort: Effort, phase: Say, now: Callable[[], float] = time.monotonic
) -> int:
    """Repeat each kind of measurement; returns the fewest repeats of any."""
    taken = []
    for kind, title in _KINDS.items():
        started_s, num_rounds = now(), 0
        while running.pids() and not effort.is_enough(num_rounds, now() - started_s):
            of_all = "" if effort.budget_s else f" of {effort.repeats or DEFAULT_REPEATS}"
            phase(f"{title}: repeat {num_rounds + 1}{of_all}")
            is_patient = effort.repeats is not None or num_rounds < FEW_REPEATS
            running.each(kind, longest_s=math.inf if is_patient else SLOW_S)
            num_rounds += 1
        taken.append(num_rounds)
    return min(taken)


def watch(pids: Iterable[int]) -> Callable[[], dict[str, float | None]]:
    """From now on: cores used by processes other than these, and the host's share of the time."""
    before = _times(pids)

    def since() -> dict[str, float | None]:
        spent = {name: s - before[name] for name, s in _times(pids).items() if name in before}
        steal_share = spent["steal"] / max(spent["total"], 1e-9) if "steal" in spent else None
        other_cores = (spent["busy"] - spent["own"]) / max(spent["wall"], 1e-9)
        return {"other_cores": max(0.0, other_cores), "steal_share": steal_share}

    return since


def _times(pids: Iterable[int]) -> dict[str, float]:
    """Seconds of all processors since the machine started; `steal` where the system counts it."""
    times, own_s = psutil.cpu_times()._asdict(), 0.0
    for pid in (psutil.Process().pid, *pids):
        with contextlib.suppress(psutil.Error):  # one that ended took no more
            used = psutil.Process(pid).cpu_times()
            own_s += used.user + used.system
    return {
        "wall": time.perf_counter(),
        "busy": sum(s for name, s in times.items() if name not in _OTHERS_WORK),
        "total": sum(s for name, s in times.items() if not name.startswith("guest")),
        "own": own_s,
        **{name: s for name, s in times.items() if name == "steal"},
    }


def _data(case: Case) -> dict[str, str]:
    request = case.request.data
    source = open.open_source(request, lambda text: None)
    return {
        "name": source.name,
        "train_fingerprint": source.train_fingerprint,
        "heldout_fingerprint": heldout.pin(source, request.eval_docs).fingerprint,
    }
