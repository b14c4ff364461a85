"""Which races a sweep consists of, in which order, and which of them are done.

Seeds are outermost, and every second seed goes through the sizes backwards: an hour in which the
machine is slow meets all sizes alike and not one, and a machine that slows down steadily favours
neither end.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedrun import config, text
from speedrun.backends import registry
from speedrun.config import Data
from speedrun.data import heldout as splits
from speedrun.data import open, tokenizer
from speedrun.models import loader
from speedrun.records.schema import Record
from speedrun.records.summary import unranked_because
from speedrun.sweep.sweep_dir import plain
from speedrun.system import hardware, paths
from speedrun.training.request import RunRequest, resolve


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
    tune: str = "quick"
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
        size = text.format_size(self.params)
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
            if run is not None and self._unlike(record) is None and lacks(record) is None:
                done.setdefault(run.key, record)
        return done

    def why_not(self, run: Planned, found: Sequence[Record]) -> str:
        """What keeps a race from counting; its last record is that of the newest folder."""
        wanted = _canonical(run.config)
        ours = [record for record in found if _canonical(record.config) == wanted]
        if not ours:
            return "ended without a record that counts"
        return f"its record does not count: {self._unlike(ours[-1]) or lacks(ours[-1])}"

    def _unlike(self, record: Record) -> str | None:
        """In what a record is of another track than the sweep."""
        found = {
            "train data": record.data.train_fingerprint,
            "held-out data": record.data.heldout_fingerprint,
            "hardware class": record.hardware.hardware_class,
        }
        return differing(found, self.shared)


def lacks(record: Record) -> str | None:
    """Why a race has to be run again; a loss that diverged would only do so once more."""
    return None if record.status == "diverged" else unranked_because(record)


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """`hardware class is cuda-h100, the sweep's cuda-h200`; None where all is as wanted."""
    parts = [
        f"{key} is {plain(value)}, the sweep's {plain(wanted.get(key))}"
        for key, value in found.items()
        if value != wanted.get(key)
    ]
    return "; ".join(parts) or None


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True)


def plan(grid: Grid, notice: Callable[[str], None]) -> Plan:
    """Look everything up before anything runs. Raises ValueError or LookupError."""
    chosen = {}
    for arch in grid.archs:
        architecture = loader.architecture(arch)
        chosen[arch] = architecture, registry.device(grid.backend, architecture)
        for params in grid.params:  # before data is opened
            _resolved(grid, architecture, arch, params, 60.0, 0, grid.data.vocab)
    machine = hardware.machine()
    classes = {
        hardware.hardware_class(machine, device.name, device.accelerator)
        for _, device in chosen.values()
    }
    if len(classes) > 1:
        raise ValueError(
            f"--arch {','.join(grid.archs)}: they would run on {' and '.join(sorted(classes))},"
            " which are different tracks; fix --backend or sweep them one by one"
        )
    source = open.open_source(grid.data.path, notice)
    heldout = splits.pin(source, grid.data.eval_docs)
    runs = []
    for arch, (architecture, _) in chosen.items():
        first = _resolved(grid, architecture, arch, grid.params[0], 60.0, 0, grid.data.vocab)
        learnt = tokenizer.for_data(
            source,
            heldout,
            grid.data.vocab,
            first.data.tokenizer,
            paths.cache_dir() / "tokenizers",
            notice,
        )
        for seed, minutes, params in itertools.product(
            range(grid.num_seeds), grid.minutes, grid.params
        ):
            run = _resolved(grid, architecture, arch, params, 60 * minutes, seed, learnt.vocab)
            runs.append(
                Planned(
                    arch=arch,
                    name=run.arch,
                    params=params,
                    minutes=minutes,
                    seed=seed,
                    config=run.as_dict(),
                )
            )
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
    request = RunRequest(
        arch=arch,
        params=str(params),
        budget_s=budget_s,
        backend=grid.backend,
        recipe=grid.recipe,
        seed=seed,
        data=grid.data,
        settings=grid.settings,
        out=grid.out,
    )
    with architecture.plugin_errors():
        return resolve(architecture, request, vocab)


def arguments(run: Planned, grid: Grid) -> list[str]:
    """The race as a command line."""
    data = grid.data
    out = [
        "--arch",
        run.arch,
        "--params",
        str(run.params),
        "--minutes",
        repr(run.minutes),
        "--seed",
        str(run.seed),
        "--backend",
        grid.backend,
        "--recipe",
        grid.recipe,
        "--vocab",
        str(data.vocab),
        "--out",
        str(grid.out),
        "--json",
        "--tune",
        grid.tune,
        "--eval-docs",
        "all" if data.eval_docs is None else str(data.eval_docs),
    ]
    if data.path is not None:
        out += ["--data", data.path]
    for setting in grid.settings:
        out += ["--set", setting]
    return out
