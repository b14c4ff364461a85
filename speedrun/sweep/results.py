"""From a sweep's records to laws: one track, one recipe an architecture, `laws.json`."""

import collections
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.records.statistics import over_seeds
from speedrun.records.summary import Summary, summarize
from speedrun.scaling_laws import fit, law
from speedrun.scaling_laws.law import Array, Laws, Optimum, Points
from speedrun.scaling_laws.laws_file import FittedLaws, LawsFile, SavedOptimum, Track
from speedrun.sweep import sweep_dir as sweep_folder

PREDICTED_MINUTES = (2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Cell:
    """One size under one budget: all its seeds."""

    params: int
    minutes: float
    rows: tuple[Summary, ...]

    @property
    def bits_per_byte(self):
        return over_seeds(self.rows, "bits_per_byte")

    @property
    def num_tokens(self) -> float:
        return statistics.median(row.num_tokens for row in self.rows)

    @property
    def tokens_per_s(self) -> float:
        return statistics.median(row.tokens_per_s for row in self.rows)


@dataclass(frozen=True)
class ArchSweep:
    """One architecture's runs in a folder, those of held-out budgets apart."""

    arch: str
    recipe: str
    rows: tuple[Summary, ...]
    held_out: tuple[Summary, ...]

    @property
    def is_bound(self) -> bool:
        return self.rows[0].likelihood == "bound"

    @property
    def cells(self) -> list[Cell]:
        return cells(self.rows)

    @property
    def minutes(self) -> list[float]:
        return sorted({row.budget_s / 60 for row in self.rows})

    @cached_property
    def laws(self) -> Laws | None:
        """Fitted to all budgets that are not held out; None with too few sizes."""
        return self._fitted(self.rows)

    @cached_property
    def measured(self) -> dict[float, Optimum]:
        """The optimum of each budget by a fit to that budget's runs alone, where they suffice."""
        found = {}
        for minutes in self.minutes:
            rows = [row for row in self.rows if row.budget_s == 60 * minutes]
            laws = self.laws if len(rows) == len(self.rows) else self._fitted(rows)
            if laws is not None:
                found[minutes] = law.optimum(laws, minutes, is_swept=True)
        return found

    @cached_property
    def predicted(self) -> dict[float, Optimum]:
        """The optimum of budgets without enough runs of their own, from the laws."""
        if self.laws is None:
            return {}
        held_out = {row.budget_s / 60 for row in self.held_out}
        wanted = {*PREDICTED_MINUTES, *held_out, *self.minutes} - self.measured.keys()
        return {m: law.optimum(self.laws, m, is_swept=False) for m in sorted(wanted)}

    def equal_tokens(self) -> tuple[Array, Array, float]:
        """Parameters, and losses as if each run had seen the same tokens; and how many."""
        assert self.laws is not None
        runs, loss = self.laws.points, self.laws.loss
        middle = float(np.exp(np.mean(np.log(runs.tokens))))
        moved = runs.loss * loss(runs.params, middle) / loss(runs.params, runs.tokens)
        return runs.params, moved, middle

    def _fitted(self, rows: Sequence[Summary]) -> Laws | None:
        found = points(rows)
        if found.num_sizes < fit.MIN_SIZES:
            return None
        return fit.fit(found, num_resamples=fit.NUM_RESAMPLES)


def points(rows: Sequence[Summary]) -> Points:
    columns = ("num_params", "num_tokens", "tokens_per_s", "budget_s", "bits_per_byte")
    return Points.of(*([getattr(row, name) for row in rows] for name in columns))


def cells(rows: Iterable[Summary]) -> list[Cell]:
    """By budget, then size."""
    found: dict[tuple[float, int], list[Summary]] = {}
    for one in rows:
        found.setdefault((one.budget_s, one.num_params), []).append(one)
    return [
        Cell(params, budget_s / 60, tuple(rows))
        for (budget_s, params), rows in sorted(found.items())
    ]


@dataclass(frozen=True)
class Folder:
    """What a sweep's folder holds: the runs of one track, and what is left out."""

    archs: tuple[ArchSweep, ...]
    left_out: tuple[str, ...]  # one line each
    num_corrupt: int
    failures: tuple[sweep_folder.Failure, ...]

    @property
    def first(self) -> Summary:
        return self.archs[0].rows[0]


def read(folder: Path, held_out_minutes: Sequence[float] = ()) -> Folder:
    """The runs of a folder. ValueError for none, and for such as do not compare."""
    records, problems = sweep_folder.records(folder)
    scored = [record for record in records if record.score is not None]
    rows = {record.id: summarize(record) for record in scored}
    counted = [record for record in scored if rows[record.id].unranked_because is None]
    one_track([rows[record.id] for record in counted], str(folder))
    left_out = [f"no record: {sanitize(problem)}" for problem in problems]
    for record in records:
        if (why := summarize(record).unranked_because) is not None:
            left_out.append(f"{record.id[:12]} ({record.arch}, seed {record.seed}): {why}")
    archs = []
    for arch in sorted({record.arch for record in counted}):
        mine = [record for record in counted if record.arch == arch]
        recipe = _one_recipe(arch, mine)
        all_rows = [rows[record.id] for record in mine]
        kept = tuple(r for r in all_rows if r.budget_s / 60 not in held_out_minutes)
        apart = tuple(r for r in all_rows if r.budget_s / 60 in held_out_minutes)
        if kept:
            archs.append(ArchSweep(arch, recipe, kept, apart))
    if not archs:
        failed = [one.error for one in sweep_folder.failures(folder).values()]
        why = [*left_out, *(f"failed: {sanitize(error)}" for error in failed)]
        extra = f" ({'; '.join(why[:3])})" if why else ""
        held = " outside the held-out budgets" if held_out_minutes and counted else ""
        raise ValueError(f"{folder}: no run there counts{held}{extra}; sweep first")
    failures = tuple(sweep_folder.failures(folder).values())
    return Folder(tuple(archs), tuple(left_out), len(problems), failures)


def track(one: Summary) -> tuple[str, str, str, int, str]:
    """What scores must share to be fitted together: a track, whatever the budget."""
    return (
        one.data_name,
        one.train_fingerprint,
        one.heldout_fingerprint,
        one.num_docs,
        one.hardware_class,
    )


def one_track(rows: Sequence[Summary], where: str) -> None:
    """Raises ValueError naming the tracks where there are several."""
    found = collections.Counter(track(one) for one in rows)
    if len(found) > 1:
        parts = (
            f"{sanitize(name)}@{train[:4]}/{heldout[:4]} · {num_docs} documents"
            f" · {sanitize(hardware)} ({count} runs)"
            for (name, train, heldout, num_docs, hardware), count in found.most_common()
        )
        raise ValueError(
            f"{where}: runs of different tracks do not compare: {'; '.join(parts)};"
            " give each a folder of its own"
        )


def _one_recipe(arch: str, records: Sequence[Record]) -> str:
    kinds = {
        json.dumps([r.config.get(key) for key in ("recipe_name", "recipe", "data")], sort_keys=True)
        for r in records
    }
    if len(kinds) > 1:
        raise ValueError(
            f"{arch} was raced with {len(kinds)} different recipes there, which one law cannot"
            " describe; give each a folder of its own"
        )
    return str(records[0].config.get("recipe_name", ""))


def laws_of(swept: ArchSweep) -> LawsFile:
    """The content of the architecture's `laws.json`."""
    laws = swept.laws
    assert laws is not None
    first = swept.rows[0]
    track = {name: getattr(first, name) for name in Track.model_fields}
    optima = sorted([*swept.measured.values(), *swept.predicted.values()], key=lambda o: o.minutes)
    return LawsFile(
        hardware_class=first.hardware_class,
        track=Track(**track),
        arch=swept.arch,
        recipe=swept.recipe,
        laws=FittedLaws(
            loss=laws.loss, speed=laws.speed, optimum=[_saved(optimum) for optimum in optima]
        ),
        num_runs=len(swept.rows),
        created_from=sorted(row.id for row in swept.rows),
    )


def _saved(one: Optimum) -> SavedOptimum:
    return SavedOptimum(
        minutes=one.minutes,
        params=round(one.params),
        low=round(one.low),
        high=round(one.high),
        bits_per_byte=one.bits_per_byte,
        is_edge=one.is_edge,
    )
