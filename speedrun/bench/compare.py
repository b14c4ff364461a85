"""Comparison of two benches: what differs between them, and by how much each rate changed.

A ratio is judged by its interval (Welch 1947, of the logarithms), and the interval by the change
of the machine's own rate: repeats of one bench lie seconds apart and do not see slow hours.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from speedrun.bench.cases import Case
from speedrun.bench.result import KINDS, Bench, Kind, Row
from speedrun.records.statistics import Spread, welch_interval

MIN_SAMPLES = 3
DRIFT = 0.05  # of the rate of matrix products between two benches, worth a note
FASTER, SLOWER, SAME, UNSURE = "faster", "slower", "within noise", "no verdict"


@dataclass(frozen=True)
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def expect_common(before: Bench, cases: Sequence[Case]) -> None:
    """Raise ValueError where none of the cases could be compared."""
    known = {row.key for row in before.rows}
    if not any(case.key in known for case in cases):
        raise ValueError(
            f"--against has no case in common: requested are"
            f" {', '.join(case.name for case in cases)}; the file has"
            f" {', '.join(row.name for row in before.rows)}"
        )


def compare(before: Bench, now: Bench) -> Comparison:
    """Compare the cases that both have."""
    old_rows = {row.key: row for row in before.rows}
    pairs = [(old_rows[row.key], row) for row in now.rows if row.key in old_rows]
    is_busy = bool(before.busy_reasons() or now.busy_reasons())
    notes = list(_differences(before, now))
    changes = [_change(old, new, kind, is_busy=is_busy) for old, new in pairs for kind in KINDS]
    notes += [note for old, new in pairs for note in _row_differences(old, new)]
    return Comparison(list(dict.fromkeys(notes)), changes)


def _change(old: Row, new: Row, kind: Kind, *, is_busy: bool) -> Change:
    before, now = _logs(old.samples(kind)), _logs(new.samples(kind))
    low = high = None
    if min(before.n, now.n) >= MIN_SAMPLES:
        low, high = map(math.exp, welch_interval(now, before))
    drift = _drift(old, new)
    if old.hardware_class != new.hardware_class:
        verdict, why = UNSURE, "other hardware"
    elif is_busy:
        verdict, why = UNSURE, "busy machine"
    elif low is None or high is None:
        verdict, why = UNSURE, f"fewer than {MIN_SAMPLES} repeats"
    elif low <= max(1.0, drift) and high >= min(1.0, drift):
        verdict, why = SAME, "" if low <= 1 <= high else f"matrix products alone: x{drift:.2f}"
    else:
        verdict, why = (FASTER if low > 1 else SLOWER), ""
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
        for reason in bench.busy_reasons():
            yield f"busy machine {what}: {reason}"
    if before.data != now.data:
        yield f"other data: {before.data.name} before, {now.data.name} now"
    settings = [bench.settings.model_dump(exclude={"repeats"}) for bench in (before, now)]
    if settings[0] != settings[1]:
        yield "other settings of the bench itself: documents scored, story or burst"
    for what, bench, _ in both:
        if bench.code.dirty:
            commit = _commit(bench.code.commit)
            yield f"the code {what} had changes that are not committed ({commit})"
    if before.code.commit == now.code.commit:
        yield f"the same commit ({_commit(now.code.commit)}): it is not the code that differs"
    else:
        yield f"commit {_commit(before.code.commit)} before, {_commit(now.code.commit)} now"
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
    before = {**old.model_dump(include=facts), **old.engine}
    now = {**new.model_dump(include=facts), **new.engine}
    for key, a, b in _unequal(before, now):
        yield f"{new.name}: {key} was {a}, is {b}"
    drift = _drift(old, new)
    if abs(drift - 1) > DRIFT and old.hardware_class == new.hardware_class:
        yield f"{new.device}: matrix products alone run at x{drift:.2f} of before"


def _unequal(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted(before.keys() | now.keys()):
        if (a := before.get(key, "none")) != (b := now.get(key, "none")):
            yield key, a, b


def _commit(commit: str | None) -> str:
    return commit[:10] if commit else "no commit"
