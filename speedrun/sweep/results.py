"""The results of a sweep: runs of one track, by architecture, and the laws fitted to them."""

import collections
import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from speedrun.records.argv import option_pairs
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.records.summary import Summary, source_of, summarize
from speedrun.records.track import Track
from speedrun.scaling_laws import fit, law, laws_file
from speedrun.scaling_laws.law import Array, Laws, Optimum, Points
from speedrun.scaling_laws.laws_file import FittedLaws, LawsFile
from speedrun.sweep import sweep_dir
from speedrun.sweep.budget import Budget, Cell, cells
from speedrun.sweep.sweep_dir import Failure, shortened
from speedrun.text import format_size, parse_size_or_0
from speedrun.training import recipe_digest

PREDICTED_MINUTES = (2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class ArchResults:
    """One architecture's runs in a sweep, all with equal tables; held-out budgets are separate.

    The sizes of the runs are those without the tables.
    """

    arch: str
    runs: tuple[Summary, ...]
    held_out: tuple[Summary, ...]
    recipe_digest: str | None = None  # None where old records do not tell, or differ
    tables: int = 0  # parameters in tables, as asked for
    variant: str = ""  # settings that vary in the sweep

    @property
    def label(self) -> str:
        """The architecture, its tables where there are some, and the settings that vary."""
        tables = f" + {format_size(self.tables)} in tables" if self.tables else ""
        return f"{self.arch}{tables}{f', {self.variant}' if self.variant else ''}"

    @property
    def slug(self) -> str:
        """The same for names of files."""
        tables = f"-tables-{format_size(self.tables)}" if self.tables else ""
        variant = re.sub(r"[^A-Za-z0-9.=]+", "-", f"-{self.variant}") if self.variant else ""
        return f"{self.arch}{tables}{variant}"

    @property
    def recipe(self) -> str:
        """The recipe of all runs."""
        return self.runs[0].recipe_name

    @property
    def is_bound(self) -> bool:
        """Whether scores are upper bounds."""
        return self.runs[0].likelihood == "bound"

    @cached_property
    def cells(self) -> list[Cell]:
        """The runs by budget, then size."""
        return cells(self.runs)

    @property
    def minutes(self) -> list[float]:
        """The budgets in ascending order."""
        return sorted({run.budget_s / 60 for run in self.runs})

    @cached_property
    def laws(self) -> Laws | None:
        """The laws fitted to all budgets that are not held out; None with too few sizes."""
        return _fitted(self.runs)

    @cached_property
    def budgets(self) -> dict[float, Budget]:
        """Each budget with a fit to its runs alone, if they suffice."""
        found = {}
        for minutes in self.minutes:
            runs = [run for run in self.runs if run.budget_s == 60 * minutes]
            laws = self.laws if len(runs) == len(self.runs) else _fitted(runs)
            found[minutes] = Budget(minutes, tuple(cells(runs)), laws)
        return found

    @cached_property
    def optima(self) -> list[Optimum]:
        """Those of raced budgets that runs support, and others by the laws, in ascending order."""
        if self.laws is None:
            return []
        held_out = {run.budget_s / 60 for run in self.held_out}
        others = {*PREDICTED_MINUTES, *held_out} - self.budgets.keys()
        predicted = [law.optimum(self.laws, m, is_swept=False) for m in others]
        fitted = [one.optimum for one in self.budgets.values() if one.optimum is not None]
        return sorted([*fitted, *predicted], key=lambda one: one.minutes)

    @property
    def unsupported(self) -> list[float]:
        """Budgets whose runs do not support the laws of all budgets."""
        if self.laws is None:
            return []
        return [m for m, budget in self.budgets.items() if budget.problem(self.laws)]

    def frontier(self) -> tuple[Array, Array]:
        """Compute (6·N·D FLOP) and mean score of the cells that none with less compute beats."""
        compute = np.array([6.0 * cell.params * cell.num_tokens for cell in self.cells])
        means = np.array([cell.bits_per_byte.mean for cell in self.cells])
        best = law.frontier(compute, means)
        return compute[best], means[best]

    def laws_file(self, laws: Laws) -> LawsFile:
        """The content of the architecture's `laws.json`."""
        track = laws_file.Track.model_validate(self.runs[0]._asdict())
        return LawsFile(
            hardware_class=track.hardware_class,
            track=track,
            arch=self.arch,
            recipe=self.recipe,
            recipe_digest=self.recipe_digest,
            tables=self.tables,
            variant=self.variant,
            unsupported_minutes=self.unsupported,
            laws=FittedLaws(loss=laws.loss, speed=laws.speed, optimum=self.optima),
            num_runs=len(self.runs),
            created_from=sorted(run.id for run in self.runs),
        )


def _fitted(runs: Sequence[Summary]) -> Laws | None:
    columns = ("num_params", "num_tokens", "tokens_per_s", "budget_s", "bits_per_byte")
    points = Points.of(*([getattr(run, name) for run in runs] for name in columns))
    if points.num_sizes < fit.MIN_SIZES:
        return None
    return fit.fit(points, num_resamples=fit.NUM_RESAMPLES)


@dataclass(frozen=True)
class Results:
    """The ranked runs of a sweep's directory, and what was left out."""

    archs: tuple[ArchResults, ...]
    left_out: tuple[str, ...]  # one line each
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()  # what to know about the runs, one line each


def read(folder: Path, held_out_minutes: Sequence[float] = ()) -> Results:
    """The results in a directory. ValueError for none, and for runs that do not compare."""
    records, problems = sweep_dir.records(folder)
    runs = [(record, summarize(record)) for record in records]
    ranked = [(record, run) for record, run in runs if run.unranked_because is None]
    _require_one_track([run for _, run in ranked], folder)
    left_out = [f"not a record: {sanitize(problem)}" for problem in problems]
    left_out += [
        f"{run.id[:12]} ({run.arch}, seed {run.seed}): {run.unranked_because}"
        for _, run in runs
        if run.unranked_because is not None
    ]
    archs, notes = [], []
    for arch in sorted({run.arch for _, run in ranked}):
        its = [record for record, _ in ranked if record.arch == arch]
        notes += _require_one_code(arch, its, folder)
        shared = shared_settings(its)
        for tables, variant in sorted({(tables_of(r), variant_of(r, shared)) for r in its}):
            mine = [
                (record, run._replace(num_params=run.num_params - tables))
                for record, run in ranked
                if (run.arch, tables_of(record), variant_of(record, shared))
                == (arch, tables, variant)
            ]
            _require_one_recipe(arch, [record for record, _ in mine])
            digests = {recipe_digest.of_record(record) for record, _ in mine} - {None}
            digest = digests.pop() if len(digests) == 1 else None
            parts: dict[bool, list[Summary]] = {False: [], True: []}
            for _, run in mine:
                parts[run.budget_s / 60 in held_out_minutes].append(run)
            if parts[False]:
                sides = tuple(parts[False]), tuple(parts[True])
                archs.append(ArchResults(arch, *sides, digest, tables, variant))
    failures = tuple(sweep_dir.failures(folder).values())
    if not archs:
        reasons = [*left_out, *(f"failed: {sanitize(one.error)}" for one in failures)]
        detail = f" ({'; '.join(reasons[:3])})" if reasons else ""
        outside = " outside the held-out budgets" if ranked else ""
        raise ValueError(f"{folder}: no ranked run there{outside}{detail}; sweep first")
    return Results(tuple(archs), tuple(left_out), failures, tuple(notes))


def tables_of(record: Record) -> int:
    """Parameters in tables that the command line of a run asked for."""
    given = dict(option_pairs(record.argv)).get("--tables", "0")
    return parse_size_or_0(given, "--tables")


def shared_settings(records: Iterable[Record]) -> set[str]:
    """Settings of the command line that all of these runs have."""
    each = [set(_settings(record)) for record in records]
    return set.intersection(*each) if each else set()


def variant_of(record: Record, shared: Collection[str]) -> str:
    """Settings of a run's command line that not all runs of its sweep share."""
    return " ".join(setting for setting in _settings(record) if setting not in shared)


def _settings(record: Record) -> list[str]:
    return [value for name, value in option_pairs(record.argv) if name == "--set"]


def _require_one_track(runs: Sequence[Summary], folder: Path) -> None:
    tracks = collections.Counter(Track.of(run)._replace(budget_s=0.0) for run in runs)
    if len(tracks) > 1:
        parts = (
            f"{sanitize(one.data_name)}@{one.train_fingerprint[:4]}/{one.heldout_fingerprint[:4]}"
            f" · {one.num_docs} documents · {sanitize(one.hardware_class)} ({count} runs)"
            for one, count in tracks.most_common()
        )
        raise ValueError(
            f"{folder}: runs of different tracks do not compare: {'; '.join(parts)};"
            " give each a directory of its own"
        )


def _require_one_recipe(arch: str, records: Sequence[Record]) -> None:
    kinds = {
        json.dumps([r.config.get(key) for key in ("recipe_name", "recipe", "data")], sort_keys=True)
        for r in records
    }
    if len(kinds) > 1:
        raise ValueError(
            f"{arch} was raced with {len(kinds)} different recipes there, which one law cannot"
            " describe; give each a directory of its own"
        )


def _require_one_code(arch: str, records: Sequence[Record], folder: Path) -> list[str]:
    """ValueError for runs of different code; a line where old records cannot tell.

    Since a record has the digest of its code, equal commits with changes are told apart, and
    commits that changed nothing of it are not.
    """
    sources = map(source_of, records)
    digests = collections.Counter("unknown" if s.startswith("commit:") else s for s in sources)
    if len(digests) > 1:
        parts = ", ".join(
            f"{shortened(sanitize(str(one)))}: {n} runs" for one, n in digests.items()
        )
        raise ValueError(
            f"{folder}: {arch} was raced with {len(digests)} versions of the code ({parts}), whose"
            " scores do not compare; give each a directory of its own"
        )
    commits = collections.Counter(shortened(r.code.commit or "unknown")[:10] for r in records)
    if "unknown" not in digests or len(commits) == 1:
        return []
    parts = ", ".join(f"{sanitize(commit)}: {n} runs" for commit, n in commits.items())
    return [
        f"{sanitize(arch)}: runs of {len(commits)} commits, perhaps of different code ({parts})"
    ]
