"""Many races: which there are, which are left, and one after another until none is.

Each race is a process of its own: what kills it (memory, a crash) does not take the sweep down,
and its memory is given back. Seeds are outermost, and every second seed goes through the sizes
backwards: an hour in which the machine is slow meets all sizes alike and not one, and a machine
that slows down steadily favours neither end.
"""

import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from leaderboard.record import Record
from leaderboard.row import unranked_because
from speedrun import config, discover, telemetry
from speedrun.asked import Asked, resolve
from speedrun.config import Data
from speedrun.data import sources, splits, tokenizer
from speedrun.sweep import racing
from speedrun.sweep.child import Ended, race_alone
from speedrun.sweep.folder import Failure, agree, failures, note_failure, records, settle

_ACCOUNTS_OFF = (
    "startup_s", "tokenizer_s", "build_s", "compile_s", "warmup_s", "checkpoint_s", "evaluate_s",
    "sample_s",
)  # fmt: skip
_USUAL_OFF_S = 25.0  # off the clock, before any run of the sweep has told


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a person asked a sweep for, names not yet looked up."""

    archs: tuple[str, ...]
    params: tuple[int, ...]
    minutes: tuple[float, ...]
    num_seeds: int
    backend: str = "auto"
    recipe: str = "default"
    data: Data = field(default_factory=Data)
    settings: tuple[str, ...] = ()
    out: Path = Path("sweeps/sweep")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One race of a sweep; `config` is what its record will say."""

    arch: str  # as asked for, which may be a folder
    name: str
    params: int
    minutes: float
    seed: int
    config: dict[str, Any] = field(repr=False)

    @property
    def key(self) -> tuple[str, int, float, int]:
        return self.name, self.params, self.minutes, self.seed

    @property
    def label(self) -> str:
        size = config.format_size(self.params)
        return f"{self.name} {size}, {self.minutes:g} min, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All races of a grid in their order, and what their records must say beside the config."""

    grid: Grid
    runs: tuple[Planned, ...]
    shared: dict[str, Any]

    def done(self, found: Sequence[Record]) -> dict[tuple, Record]:
        """Records of races that need no other try: by config, seed, data and machine."""
        by_config = {_canonical(run.config): run for run in self.runs}
        done: dict[tuple, Record] = {}
        for record in found:
            run = by_config.get(_canonical(record.config))
            if run is not None and self._is_ours(record) and lacks(record) is None:
                done.setdefault(run.key, record)
        return done

    def _is_ours(self, record: Record) -> bool:
        return (
            record.data.train_fingerprint == self.shared["train data"]
            and record.data.heldout_fingerprint == self.shared["held-out data"]
            and record.hardware.hardware_class == self.shared["hardware class"]
        )


def lacks(record: Record) -> str | None:
    """Why a race has to be run again; a loss that diverged would only do so once more."""
    return None if record.status == "diverged" else unranked_because(record)


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True)


def plan(grid: Grid, notice: Callable[[str], None]) -> Plan:
    """Look everything up before anything runs. Raises ValueError or LookupError."""
    chosen = {}
    for arch in grid.archs:
        architecture = discover.architecture(arch)
        chosen[arch] = architecture, discover.device(grid.backend, architecture)
        for params in grid.params:  # before data is opened
            _resolved(grid, architecture, arch, params, 60.0, 0, grid.data.vocab)
    machine = telemetry.machine()
    classes = {telemetry.hardware_class(machine, device) for _, device in chosen.values()}
    if len(classes) > 1:
        raise ValueError(
            f"--arch {','.join(grid.archs)}: they would run on {' and '.join(sorted(classes))},"
            " which are different tracks; fix --backend or sweep them one by one"
        )
    source = sources.open_source(grid.data.path, notice)
    heldout = splits.pin(source, grid.data.eval_docs)
    runs = []
    for arch, (architecture, _) in chosen.items():
        first = _resolved(grid, architecture, arch, grid.params[0], 60.0, 0, grid.data.vocab)
        learnt = tokenizer.for_data(
            source, heldout, grid.data.vocab, first.data.tokenizer,
            sources.cache_dir() / "tokenizers", notice,
        )  # fmt: skip
        for seed, minutes, params in itertools.product(
            range(grid.num_seeds), grid.minutes, grid.params
        ):
            run = _resolved(grid, architecture, arch, params, 60 * minutes, seed, learnt.vocab)
            runs.append(
                Planned(
                    arch=arch, name=run.arch, params=params, minutes=minutes, seed=seed,
                    config=run.as_dict(),
                )
            )  # fmt: skip
    runs.sort(key=_turn)
    shared = {
        "recipe": grid.recipe,
        "--set": sorted(grid.settings),
        "vocabulary": grid.data.vocab,
        "held-out documents": len(heldout.documents),
        "data": source.name,
        "train data": source.train_fingerprint,
        "held-out data": heldout.fingerprint,
        "hardware class": classes.pop(),
        "backend": grid.backend,
    }
    return Plan(grid, tuple(runs), shared)


def _turn(run: Planned) -> tuple[float, ...]:
    """When a race has its turn: see the top of this file."""
    return run.seed, run.minutes, -run.params if run.seed % 2 else run.params


def _resolved(
    grid: Grid, architecture: Any, arch: str, params: int, budget_s: float, seed: int, vocab: int
) -> config.Run:
    asked = Asked(
        arch=arch, params=str(params), budget_s=budget_s, backend=grid.backend, recipe=grid.recipe,
        seed=seed, data=grid.data, settings=grid.settings, out=grid.out,
    )  # fmt: skip
    with architecture.blamed():
        return resolve(architecture, asked, vocab)


class Watcher(Protocol):
    """Who is told how the sweep goes: `speedrun.sweep.view`."""

    def state(self, state: "State") -> None: ...
    def done(self, run: Planned, record: Record, state: "State") -> None: ...
    def failed(self, run: Planned, failure: Failure, state: "State") -> None: ...


@dataclass
class State:
    """How far the sweep is."""

    plan: Plan
    done: dict[tuple, Record]
    failed: dict[tuple, Failure] = field(default_factory=dict)
    stopped: dict[tuple, Failure] = field(default_factory=dict)  # by racing
    running: Planned | None = None
    doing: str = ""  # the last line of the race under way
    since: float = 0.0

    @property
    def left(self) -> list[Planned]:
        """Runs that are neither done nor failed nor stopped nor under way."""
        over = self.done.keys() | self.failed.keys() | self.stopped.keys()
        return [run for run in self.plan.runs if run.key not in over and run != self.running]

    def left_s(self) -> float:
        """Seconds until all is done, if it goes on as it went."""
        off = [_off_clock_s(record) for record in self.done.values()]
        each_s = statistics.median(off) if off else _USUAL_OFF_S
        total = sum(60 * run.minutes + each_s for run in self.left)
        if self.running is not None:
            gone_s = time.monotonic() - self.since
            total += max(0.0, 60 * self.running.minutes + each_s - gone_s)
        return total


def _off_clock_s(record: Record) -> float:
    return sum(getattr(record.clock, name) for name in _ACCOUNTS_OFF)


class Race(Protocol):
    """What runs one race: `race_alone`, or a test's stand-in."""

    def __call__(
        self,
        arguments: Sequence[str],
        out: Path,
        hear: Callable[[str], None],
        has_lost: Callable[[racing.Curve], bool] | None = None,
    ) -> Ended: ...


def run_all(
    planned: Plan, watcher: Watcher, race: Race = race_alone, *, is_racing: bool = False
) -> State:
    """Race what is left, one after another; a run that fails is noted and the rest go on.

    With `is_racing` runs that cannot win any more are stopped, and those stopped before are not
    raced again.
    """
    out = planned.grid.out
    agree(out, planned.shared, _grid(planned.grid))
    state = State(planned, planned.done(records(out)[0]))
    settle(out, state.done)
    if is_racing:
        state.stopped = {key: f for key, f in failures(out).items() if f.stopped_at is not None}
    watcher.state(state)
    for run in list(state.left):
        _one(run, state, watcher, race, is_racing)
    watcher.state(state)
    return state


def _one(run: Planned, state: State, watcher: Watcher, race: Race, is_racing: bool) -> None:
    """One race and what became of it."""
    planned, out = state.plan, state.plan.grid.out
    state.running, state.doing, state.since = run, "starting", time.monotonic()
    field = _field(run, state) if is_racing else []

    def hear(line: str) -> None:
        state.doing = line
        watcher.state(state)

    def has_lost(curve: racing.Curve) -> bool:
        return racing.has_lost(run.params, curve, field)

    ended = race(arguments(run, planned.grid), out, hear, has_lost if is_racing else None)
    state.running = None
    record = planned.done(records(out)[0]).get(run.key)
    if record is not None:
        state.done[run.key] = record
        settle(out, [run.key])
        watcher.done(run, record, state)
        return
    error = ended.error or "ended without a record that counts"
    if ended.stopped_at is not None:
        error = f"stopped by racing at {ended.stopped_at:.0%} of its budget: it could not win"
    failure = Failure(
        arch=run.name, params=run.params, minutes=run.minutes, seed=run.seed,
        exit_code=ended.exit_code, error=error, stopped_at=ended.stopped_at,
    )  # fmt: skip
    note_failure(out, failure)
    (state.failed if ended.stopped_at is None else state.stopped)[run.key] = failure
    watcher.failed(run, failure, state)


def _field(run: Planned, state: State) -> list[racing.Raced]:
    """The finished runs of the same architecture and budget."""
    return [
        racing.Raced(other.params, record.train.loss_curve, record.score.bits_per_byte)
        for other in state.plan.runs
        if (other.name, other.minutes) == (run.name, run.minutes)
        and (record := state.done.get(other.key)) is not None
        and record.score is not None
    ]


def _grid(grid: Grid) -> dict[str, Any]:
    return {
        "archs": list(grid.archs), "params": list(grid.params), "minutes": list(grid.minutes),
        "seeds": grid.num_seeds,
    }  # fmt: skip


def arguments(run: Planned, grid: Grid) -> list[str]:
    """The race as a command line."""
    data = grid.data
    out = [
        "--arch", run.arch, "--params", str(run.params), "--minutes", repr(run.minutes),
        "--seed", str(run.seed), "--backend", grid.backend, "--recipe", grid.recipe,
        "--vocab", str(data.vocab), "--out", str(grid.out), "--json",
        "--eval-docs", "all" if data.eval_docs is None else str(data.eval_docs),
    ]  # fmt: skip
    if data.path is not None:
        out += ["--data", data.path]
    for setting in grid.settings:
        out += ["--set", setting]
    return out
