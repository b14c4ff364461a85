"""Comparison of two benches: what differs between them, and by how much each rate changed.

A ratio is judged by its interval (Welch 1947, of the logarithms), and the interval by the change
of the machine's own rate: repeats of one bench lie seconds apart and do not see slow hours.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from speedrun.bench.cases import Case
from speedrun.bench.result import KINDS, Bench, Kind, Row
from speedrun.records.statistics import Spread, welch_interval

MIN_SAMPLES = 3
DRIFT = 0.05  # of the rate of matrix products between two benches, worth a note
FASTER, SLOWER, SAME, UNSURE = "faster", "slower", "within noise", "no verdict"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A rate of one case, before and now."""

    variant: str  # name of the case
    kind: Kind
    before: float  # tokens per second, medians
    now: float
    ratio: float
    low: float | None  # of its 95 % interval; None below three repeats
    high: float | None
    verdict: str
    why: str


@dataclass(frozen=True)
class Comparison:
    """Changes of all cases that two benches share."""

    notes: list[str]  # what else differs, worst first
    changes: list[Change]


def expect_common(before: Bench, cases: Sequence[Case]) -> None:
    """Raise ValueError where none of the cases could be compared."""
    if not {row.key for row in before.rows} & {case.key for case in cases}:
        raise ValueError(
            f"--against has no case in common: requested are"
            f" {', '.join(case.name for case in cases)}; the file has"
            f" {', '.join(row.name for row in before.rows)}"
        )


def compare(before: Bench, now: Bench) -> Comparison:
    """Compare the cases that both have."""
    old_rows = {row.key: row for row in before.rows}
    pairs = [(old_rows[row.key], row) for row in now.rows if row.key in old_rows]
    busy = "busy machine" if before.busy_reasons() or now.busy_reasons() else ""
    notes = [*_differences(before, now)]
    notes += [note for old, new in pairs for note in _row_differences(old, new)]
    changes = [_change(old, new, kind, busy) for old, new in pairs for kind in KINDS]
    return Comparison(list(dict.fromkeys(notes)), changes)


def _change(old: Row, new: Row, kind: Kind, doubt: str) -> Change:
    before, now = _logs(old.samples(kind)), _logs(new.samples(kind))
    low = high = None
    if old.hardware_class != new.hardware_class:
        doubt = "other hardware"
    if min(before.n, now.n) >= MIN_SAMPLES:
        low, high = map(math.exp, welch_interval(now, before))
    verdict, why = UNSURE, doubt or f"fewer than {MIN_SAMPLES} repeats"
    if low is not None and high is not None and not doubt:
        drift = _drift(old, new)
        verdict, why = (FASTER if low > 1 else SLOWER), ""
        if low <= max(1.0, drift) and high >= min(1.0, drift):
            verdict, why = SAME, "" if low <= 1 <= high else f"matrix products alone: x{drift:.2f}"
    return Change(
        variant=new.name,
        kind=kind,
        before=old.median(kind),
        now=new.median(kind),
        ratio=math.exp(now.mean - before.mean),
        low=low,
        high=high,
        verdict=verdict,
        why=why,
    )


def _drift(old: Row, new: Row) -> float:
    """Ratio of the machine's own rates of matrix products."""
    before, now = old.matmul_flop_s, new.matmul_flop_s
    return now / before if before and now else 1.0


def _logs(samples: Sequence[float]) -> Spread:
    logs = [math.log(sample) for sample in samples]
    sd = statistics.stdev(logs) if len(logs) > 1 else None
    return Spread(statistics.fmean(logs), sd, len(logs))


def _differences(before: Bench, now: Bench) -> Iterator[str]:
    """Differences of load, data, settings, code and cases."""
    both = (("before", before, now), ("now", now, before))
    for what, bench, _ in both:
        yield from (f"busy machine {what}: {reason}" for reason in bench.busy_reasons())
    if before.data != now.data:
        yield f"other data: {before.data.name} before, {now.data.name} now"
    if before.settings != now.settings.model_copy(update={"repeats": before.settings.repeats}):
        yield "other settings of the bench itself: documents scored, story or burst"
    commits = [
        bench.code.commit[:10] if bench.code.commit else "no commit" for bench in (before, now)
    ]
    for (what, bench, _), commit in zip(both, commits, strict=True):
        if bench.code.dirty:
            yield f"the code {what} had changes that are not committed ({commit})"
    if before.code.commit == now.code.commit:
        yield f"the same commit ({commits[0]}): it is not the code that differs"
    else:
        yield f"commit {commits[0]} before, {commits[1]} now"
    for what, bench, other in both:
        keys = {row.key for row in other.rows}
        if names := [row.name for row in bench.rows if row.key not in keys]:
            yield f"only {what}: {', '.join(names)}"


def _row_differences(old: Row, new: Row) -> Iterator[str]:
    """Differences of hardware, versions, model and engine of a case."""
    if old.hardware_class != new.hardware_class:
        yield f"other hardware: {old.hardware_class} before, {new.hardware_class} now"
    for key, a, b in _unequal(old.versions, new.versions):
        yield f"other {key}: {a} before, {b} now"
    facts = {"context", "batch_rows", "num_params", "num_draws"}
    before, now = ({**row.model_dump(include=facts), **row.engine} for row in (old, new))
    yield from (f"{new.name}: {key} was {a}, is {b}" for key, a, b in _unequal(before, now))
    drift = _drift(old, new)
    if abs(drift - 1) > DRIFT and old.hardware_class == new.hardware_class:
        yield f"{new.device}: matrix products alone run at x{drift:.2f} of before"


def _unequal(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted(before.keys() | now.keys()):
        if (a := before.get(key, "none")) != (b := now.get(key, "none")):
            yield key, a, b
