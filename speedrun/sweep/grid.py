"""The races of a sweep: their order, their settings, and which records are theirs.

Seeds are outermost, and every second seed goes through the sizes backwards: a busy period of the
machine then falls on all sizes alike, and a machine that slows down steadily favours neither end.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from speedrun.backends import registry
from speedrun.data import heldout as heldout_split
from speedrun.data import open, tokenizer
from speedrun.models import loader
from speedrun.models.code import code_digest
from speedrun.protocols import Architecture
from speedrun.records.schema import Record
from speedrun.records.summary import data_id, source_of, unranked_because
from speedrun.sweep.sweep_dir import Key, shortened
from speedrun.system import hardware, paths
from speedrun.text import format_size
from speedrun.training.request import RunRequest, resolve

MAX_SEEDS = 100


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The options of a sweep; names are not yet looked up."""

    archs: tuple[str, ...]
    params: tuple[int, ...]
    tables: tuple[int, ...] = (0,)
    variants: tuple[str, ...] = ("",)  # of the settings, see `Key`
    minutes: tuple[float, ...]
    num_seeds: int
    base: RunRequest  # the options that all races share; its `out` is the sweep's directory

    def __post_init__(self) -> None:
        if not 1 <= self.num_seeds <= MAX_SEEDS:
            raise ValueError(f"--seeds {self.num_seeds}: allowed are 1 to {MAX_SEEDS}")
        if not self.archs or len(set(self.archs)) < len(self.archs):
            given = ",".join(self.archs)
            raise ValueError(f"--arch {given}: give different architectures, comma-separated")

    def request(self, arch: str, key: Key) -> RunRequest:
        """One race of the grid; `arch` may be a folder."""
        return replace(
            self.base,
            arch=arch,
            params=str(key.params),
            tables=str(key.tables),
            budget_s=60 * key.minutes,
            seed=key.seed,
            settings=(*self.base.settings, *key.variant.split()),
        )

    def keys(self, name: str) -> list[Key]:
        """All races of the architecture of this name."""
        seeds = range(self.num_seeds)
        axes = self.params, self.minutes, seeds, self.tables, self.variants
        return [Key(name, *cell) for cell in itertools.product(*axes)]

    def manifest(self) -> dict[str, Any]:
        """Its entry in `sweep.json`."""
        return {
            "archs": list(self.archs),
            "params": list(self.params),
            **({} if self.tables == (0,) else {"tables": list(self.tables)}),
            **({} if self.variants == ("",) else {"variants": list(self.variants)}),
            "minutes": list(self.minutes),
            "seeds": self.num_seeds,
        }

    def absolute(self) -> "Grid":
        """The same grid with absolute paths, for processes with another working directory."""
        archs = (str(Path(a).resolve()) if loader.is_path(a) else a for a in self.archs)
        data = self.base.data
        if data.path is not None:
            data = replace(data, path=str(Path(data.path).resolve()))
        return replace(self, archs=tuple(archs), base=replace(self.base, data=data))


@dataclass(frozen=True, kw_only=True)
class PlannedRace:
    """One race of a sweep and the config that its record will have."""

    request: RunRequest
    key: Key
    config: dict[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """`transformer 2M, 1 min, seed 0`."""
        key = self.key
        tables = f" + {format_size(key.tables)} in tables" if key.tables else ""
        size = f"{format_size(key.params)}{tables}{f', {key.variant}' if key.variant else ''}"
        return f"{key.arch} {size}, {key.minutes:g} min, seed {key.seed}"


@dataclass(frozen=True)
class Plan:
    """All races of a grid in their order, and the settings and the track that they share."""

    grid: Grid
    races: tuple[PlannedRace, ...]
    shared: dict[str, Any]
    code: dict[str, str]  # by architecture: the digest of the code that races it

    @property
    def out(self) -> Path:
        """The sweep's directory."""
        return self.grid.base.out

    def done(self, records: Iterable[Record]) -> dict[Key, Record]:
        """The records that complete a race: same config, seed, code, data and hardware class."""
        done: dict[Key, Record] = {}
        for record in records:
            race = self.race_of(record)
            if race is not None and self.problem(record) is None:
                done.setdefault(race.key, record)
        return done

    @cached_property
    def _by_config(self) -> dict[str, PlannedRace]:
        return {_canonical(race.config): race for race in self.races}

    def race_of(self, record: Record) -> PlannedRace | None:
        """The race with a record's config and seed, if the sweep has one."""
        return self._by_config.get(_canonical(record.config))

    def problem(self, record: Record) -> str | None:
        """The reason why a race with this record has to be run again; None for a result.

        A loss that diverged is a result: it would diverge again.
        """
        found = {
            "train data": data_id(record.data.train_fingerprint),
            "held-out data": record.data.heldout_fingerprint,
            "hardware class": record.hardware.hardware_class,
            "code": source_of(record),
        }
        return differing(found, self.shared | {"code": self.code.get(record.arch)}) or (
            None if record.status == "diverged" else unranked_because(record)
        )


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """`hardware class is cuda-h100, the sweep's cuda-h200`; None where all values agree."""
    parts = [
        f"{key} is {shortened(value)}, the sweep's {shortened(wanted.get(key))}"
        for key, value in found.items()
        if value != wanted.get(key)
    ]
    return "; ".join(parts) or None


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True)


def variants(varied: Sequence[str]) -> tuple[str, ...]:
    """Every combination of `key=value,value` settings, as the settings of one race each."""
    axes, keys = [], set()
    for words in varied:
        key, equals, values = words.partition("=")
        if not equals or not all(values.split(",")) or " " in words:
            wanted = "write it as key=value,value such as recipe.lr=0.005,0.01"
            raise ValueError(f"--vary {words}: {wanted}")
        if key in keys or len(set(values.split(","))) < len(values.split(",")):
            raise ValueError(f"--vary {words}: give each setting once, and each value once")
        keys.add(key)
        axes.append([f"{key}={value}" for value in values.split(",")])
    return tuple(" ".join(cell) for cell in itertools.product(*axes))


def plan(grid: Grid, notice: Callable[[str], None]) -> Plan:
    """Look everything up before anything runs. Raises ValueError or LookupError."""
    architectures = {arch: loader.architecture(arch) for arch in grid.archs}
    base = grid.base
    for arch, architecture in architectures.items():  # before a framework is imported
        for key in grid.keys(architecture.NAME):
            if (key.minutes, key.seed) == (grid.minutes[0], 0):
                _resolve(architecture, grid.request(arch, key), base.data.vocab)
    hardware_class = _hardware_class(grid, architectures.values())
    source = open.open_source(base.data, notice)
    heldout = heldout_split.pin(source, base.data.eval_docs)
    races = []
    for arch, architecture in architectures.items():
        keys = grid.keys(architecture.NAME)
        first = grid.request(arch, keys[0])
        kind = _resolve(architecture, first, base.data.vocab).data.tokenizer
        cache = paths.cache_dir() / "tokenizers"
        vocab = tokenizer.for_data(source, heldout, base.data.vocab, kind, cache, notice).vocab
        for key in keys:
            request = grid.request(arch, key)
            config = _resolve(architecture, request, vocab).as_dict()
            races.append(PlannedRace(request=request, key=key, config=config))
    races.sort(key=lambda race: _turn(race.key))
    shared = {
        "recipe": base.recipe,
        "--set": sorted(base.settings),
        "vocabulary": base.data.vocab,
        "held-out documents": len(heldout.documents),
        "data": source.name,
        "train data": data_id(source.train_fingerprint),
        "held-out data": heldout.fingerprint,
        "hardware class": hardware_class,
        "backend": base.backend,
    }
    code = {one.NAME: code_digest(one) for one in architectures.values()}
    return Plan(grid, tuple(races), shared, code)


def _hardware_class(grid: Grid, architectures: Iterable[Architecture]) -> str:
    """The class that all architectures would run on; raises ValueError for several."""
    machine = hardware.machine()
    devices = [registry.device(grid.base.backend, architecture) for architecture in architectures]
    classes = {hardware.hardware_class(machine, d.name, d.accelerator) for d in devices}
    if len(classes) > 1:
        raise ValueError(
            f"--arch {','.join(grid.archs)}: these would run on {' and '.join(sorted(classes))},"
            " which are different tracks; set --device or sweep them one by one"
        )
    return classes.pop()


def _turn(key: Key) -> tuple[float | str, ...]:
    """The place of a race in the order described at the top of this file."""
    sizes = (-size if key.seed % 2 else size for size in (key.params, key.tables))
    return key.seed, key.minutes, *sizes, key.variant


def _resolve(architecture: Architecture, request: RunRequest, vocab: int) -> Any:
    with architecture.plugin_errors():
        return resolve(architecture, request, vocab)
