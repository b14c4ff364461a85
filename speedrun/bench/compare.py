"""Two benches side by side: what differs between them, and by how much each rate changed.

A ratio is judged by its interval (Welch 1947, of the logarithms), and the interval by what the
machine itself did meanwhile: repeats of one bench lie seconds apart and know nothing of hours.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from speedrun.bench import noise
from speedrun.bench.cases import Variant
from speedrun.bench.result import KINDS, Bench, Kind, Row
from speedrun.records.statistics import Spread, welch_interval

MIN_SAMPLES = 3
FASTER, SLOWER, SAME, UNSURE = "faster", "slower", "within noise", "no verdict"


@dataclass(frozen=True)
class Change:
    """A rate of one variant, before and now."""

    variant: str
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
    notes: list[str]  # what else differs, worst first
    changes: list[Change]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def expect_common(before: Bench, chosen: Sequence[Variant]) -> None:
    """Raise ValueError where nothing that is to be measured could be compared."""
    there = {row.key for row in before.rows}
    if not any((Path(v.arch).name, v.params, v.device) in there for v in chosen):
        raise ValueError(
            f"--against has no variant in common: to be measured are"
            f" {', '.join(v.name for v in chosen)}; there are"
            f" {', '.join(noise.name(row) for row in before.rows)}"
        )


def compare(before: Bench, now: Bench) -> Comparison:
    """Variants that both have, and what else is different."""
    old_rows = {row.key: row for row in before.rows}
    pairs = [(old_rows[row.key], row) for row in now.rows if row.key in old_rows]
    is_busy = bool(noise.reasons(before) or noise.reasons(now))
    notes = [*_differences(before, now), *_missing(before, now)]
    changes = [_change(old, new, kind, is_busy=is_busy) for old, new in pairs for kind in KINDS]
    notes += [note for old, new in pairs for note in _row_differences(old, new)]
    return Comparison(list(dict.fromkeys(notes)), changes)


def _change(old: Row, new: Row, kind: Kind, *, is_busy: bool) -> Change:
    before, now = old.samples(kind), new.samples(kind)
    ratio = math.exp(_logs(now).mean - _logs(before).mean)
    low = high = None
    if min(len(before), len(now)) >= MIN_SAMPLES:
        low, high = map(math.exp, welch_interval(_logs(now), _logs(before)))
    verdict, why = _verdict(old, new, low, high, is_busy=is_busy)
    return Change(
        noise.name(new), kind, old.median(kind), new.median(kind), ratio, low, high, verdict, why
    )


def _verdict(
    old: Row, new: Row, low: float | None, high: float | None, *, is_busy: bool
) -> tuple[str, str]:
    if old.hardware_class != new.hardware_class:
        return UNSURE, "other hardware"
    if is_busy:
        return UNSURE, "busy machine"
    if low is None or high is None:
        return UNSURE, f"fewer than {MIN_SAMPLES} repeats"
    drift = _drift(old, new)
    if low <= max(1.0, drift) and high >= min(1.0, drift):
        return SAME, "" if low <= 1 <= high else f"matrix products alone: x{drift:.2f}"
    return (FASTER if low > 1 else SLOWER), ""


def _drift(old: Row, new: Row) -> float:
    """What became of the machine's own rate of matrix products."""
    before, now = old.matmul_flop_s, new.matmul_flop_s
    return now / before if before and now else 1.0


def _logs(samples: list[float]) -> Spread:
    logs = [math.log(sample) for sample in samples]
    sd = statistics.stdev(logs) if len(logs) > 1 else None
    return Spread(statistics.fmean(logs), sd, len(logs))


def _differences(before: Bench, now: Bench) -> Iterator[str]:
    """What differs besides the code, and what is not known of the code."""
    for what, bench in (("before", before), ("now", now)):
        for reason in noise.reasons(bench):
            yield f"busy machine {what}: {reason}"
    if before.data != now.data:
        yield f"other data: {before.data.name} before, {now.data.name} now"
    if before.settings.model_dump(exclude={"repeats"}) != now.settings.model_dump(
        exclude={"repeats"}
    ):
        yield "other settings of the bench itself: documents scored, story or burst"
    for what, code in (("before", before.code), ("now", now.code)):
        if code.dirty:
            yield f"the code {what} had changes that are not committed ({_commit(code.commit)})"
    if before.code.commit == now.code.commit:
        yield f"the same commit ({_commit(now.code.commit)}): it is not the code that differs"
    else:
        yield f"commit {_commit(before.code.commit)} before, {_commit(now.code.commit)} now"


def _missing(before: Bench, now: Bench) -> Iterator[str]:
    for what, some, others in (("before", before, now), ("now", now, before)):
        keys = {row.key for row in others.rows}
        if names := [noise.name(row) for row in some.rows if row.key not in keys]:
            yield f"only {what}: {', '.join(names)}"


def _row_differences(old: Row, new: Row) -> Iterator[str]:
    if old.hardware_class != new.hardware_class:
        yield f"other hardware: {old.hardware_class} before, {new.hardware_class} now"
    for key in sorted(old.versions.keys() | new.versions.keys()):
        if (a := old.versions.get(key, "none")) != (b := new.versions.get(key, "none")):
            yield f"other {key}: {a} before, {b} now"
    name = noise.name(new)
    facts = {"context", "batch_rows", "num_params", "num_draws"}
    olds = {**old.model_dump(include=facts), **old.engine}
    news = {**new.model_dump(include=facts), **new.engine}
    for key in sorted(olds.keys() | news.keys()):
        if (a := olds.get(key, "none")) != (b := news.get(key, "none")):
            yield f"{name}: {key} was {a}, is {b}"
    drift = _drift(old, new)
    if abs(drift - 1) > noise.DRIFT and old.hardware_class == new.hardware_class:
        yield f"{new.device}: matrix products alone run at x{drift:.2f} of before"


def _commit(commit: str | None) -> str:
    return commit[:10] if commit else "no commit"
