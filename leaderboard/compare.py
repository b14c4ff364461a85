"""Comparison of two runs or entries: settings, loss curves, significance, time to equal loss."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leaderboard import index
from leaderboard.checks import validate
from leaderboard.standing import moderated
from leaderboard.standing.boards import boards
from leaderboard.standing.entries import SPREADS, ln_spread
from leaderboard.standing.moderated import NO_PRIOR, Prior
from leaderboard.store import Store
from speedrun.records import energy
from speedrun.records.curves import Curve, curve, time_to_equal_loss
from speedrun.records.schema import Record
from speedrun.records.statistics import over_seeds
from speedrun.records.summary import Summary, source_of, summarize, to_be_scored
from speedrun.records.track import Track
from speedrun.system.paths import cache_dir
from speedrun.text import format_size

NUM_POINTS = 20  # of a printed curve
MISSING = "-"
_MAX_DEPTH = 5  # of nested settings


@dataclass(frozen=True)
class Side:
    """One of the two: a run, or the runs of an entry."""

    label: str
    records: Sequence[Record]
    prior: Prior = NO_PRIOR  # what the entries of its track say about noise

    @cached_property
    def runs(self) -> list[Summary]:
        """Summaries of the records."""
        return [summarize(record) for record in self.records]

    @property
    def first(self) -> Record:
        """The record that settings and machine are read from."""
        return self.records[0]


def find(text: str, store: Store) -> Side:
    """Side named by a run's folder, hf://user/name, or the first digits of an id.

    Raises ValueError or LookupError with what was given and what is allowed.
    """
    if (run := index.local_run(text)) is not None:
        return _side(text, run[1])
    found = index.read(store, cache_dir())
    ranked = boards(found.runs, found.submissions, found.verifications, found.duels)
    entries = [(b, entry) for b in ranked for entry in b.entries if entry.id.startswith(text)]
    ids = [run.id for run in found.runs if run.id.startswith(text)]
    if len(entries) + len(ids) != 1:
        what = "more than one" if entries or ids else "no entry or record"
        raise LookupError(f"{store.url}: {what} begins with {text}")
    if ids:
        return _side(text, index.fetch(store, ids[0]))
    board, entry = entries[0]
    counted = [run for run in entry.runs if run.id in entry.counted]
    records = [index.fetch(store, run.id, run.file_sha256) for run in counted]
    alike = (other for other in board.entries if other.is_bound == entry.is_bound)
    prior = moderated.fit(other.ln_score for other in alike)
    return Side(f"{entry.label} (n = {entry.bits_per_byte.n})", records, prior)


def _side(text: str, record: Record) -> Side:
    if record.score is None:
        status = to_be_scored(text) if record.status == "trained" else record.status
        raise ValueError(f"{text}: there is no score to compare; the run is {status}")
    recipe = record.config.get("recipe_name", "")
    label = f"{record.arch} {format_size(record.num_params)}, {recipe}, seed {record.seed}"
    return Side(label, [record])


def compare(a: Side, b: Side) -> dict[str, Any]:
    """Everything that is reported about two sides, as plain values for JSON."""
    x, y = curve(a.records), curve(b.records)
    reason = ""
    if a.first.tokenizer.fingerprint != b.first.tokenizer.fingerprint:
        reason = "the tokenizers differ, so losses per token are not comparable"
    elif a.runs[0].likelihood != b.runs[0].likelihood:
        reason = "one training loss is exact, the other that of a bound"
    elif not (len(x.nats) and len(y.nats)):
        reason = f"{(b if len(x.nats) else a).label} has no loss curve"
    times = None if reason else time_to_equal_loss(x, y)
    return {
        "a": _facts(a),
        "b": _facts(b),
        "caveats": _caveats(a, b),
        "settings": differences(a.first.config, b.first.config),
        "score": _significance(a, b),
        "curves": None if reason else _points(x, y),
        "no_curves": reason,
        "time_to_equal_loss": times,
        "joules_to_equal_loss": times and _joules_to_equal_loss(a, b, times),
    }


def _joules_to_equal_loss(
    a: Side, b: Side, times: Mapping[str, float | None]
) -> dict[str, float | None] | None:
    """Joules after which each side reached the other's final training loss.

    They are the mean power of all of the race times the seconds. None where a side was not
    measured, or in another way than the other.
    """
    x, y = energy.mean(a.runs), energy.mean(b.runs)
    if x is None or y is None or x.source != y.source:
        return None
    out: dict[str, float | None] = {"a_joules": x.joules, "b_joules": y.joules}
    for name, watts in (("b_reached_a", y.mean_watts), ("a_reached_b", x.mean_watts)):
        seconds = times[f"{name}_final_s"]
        out[f"{name}_final_joules"] = None if seconds is None else seconds * watts
    return out


def _facts(side: Side) -> dict[str, Any]:
    first = side.first
    return {
        "label": side.label,
        "ids": [record.id for record in side.records],
        **{name: over_seeds(side.runs, name)._asdict() for name in SPREADS},
        "likelihood": side.runs[0].likelihood,
        "energy": (spent := energy.mean(side.runs)) and spent._asdict(),
        "num_params": first.num_params,
        "backend": f"{first.backend} {first.device}",
        "hardware_class": first.hardware.hardware_class,
        "commit": (first.code.commit or "unknown")[:10],
        "versions": dict(first.versions),
    }


def _caveats(a: Side, b: Side) -> list[str]:
    """Reasons why the two scores are not comparable, or compare code rather than settings."""
    out = [
        f"{letter} would be rejected: {'; '.join(problems)}"
        for letter, side in (("A", a), ("B", b))
        for record in side.records
        if (problems := validate.problems(record))
    ]
    # A local copy is named after its folder; the fingerprints identify the data.
    x, y = (Track.of(side.runs[0])._replace(data_name="") for side in (a, b))
    if x != y:
        pairs = zip(Track._fields, x, y, strict=True)
        differ = [f"{name} {str(p)[:24]} vs {str(q)[:24]}" for name, p, q in pairs if p != q]
        out.append(f"different tracks: {', '.join(differ)}")
    codes = [{source_of(r)[:12] for r in side.records} for side in (a, b)]
    if a.first.arch == b.first.arch and (codes[0] != codes[1] or len(codes[0]) > 1):
        shown = " vs ".join(" and ".join(sorted(found)) for found in codes)
        out.append(f"different code: {shown}")
    if a.runs[0].likelihood != b.runs[0].likelihood:
        out.append("one score is exact, the other an upper bound")
    return out


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Settings in which two configs differ, by dotted path; the seed is not compared."""
    x, y = flat(a), flat(b)
    pairs = [(key, x.get(key, MISSING), y.get(key, MISSING)) for key in x | y if key != "seed"]
    return [pair for pair in pairs if pair[1] != pair[2]]


def flat(config: Mapping[str, Any], depth: int = _MAX_DEPTH) -> dict[str, Any]:
    """Nested settings by dotted path; what nests deeper than `depth` stays nested."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value and depth > 1:
            out |= {f"{key}.{inner}": leaf for inner, leaf in flat(value, depth - 1).items()}
        else:
            out[key] = value
    return out


def _significance(a: Side, b: Side) -> dict[str, Any]:
    """Difference in bits per byte, and a two-sided t-test of their logarithms.

    The variance is pooled over both sides and, where the two are entries of one track, moderated
    by all entries of that track.
    """
    x, y = (over_seeds(side.runs, "bits_per_byte") for side in (a, b))
    prior = a.prior if a.prior == b.prior else NO_PRIOR
    found = moderated.difference(ln_spread(b.runs), ln_spread(a.runs), prior)
    # Both score the same documents: as if independent, this is an upper limit.
    ses = [statistics.fmean(run.bits_per_byte_se for run in side.runs) for side in (a, b)]
    out = {"difference": y.mean - x.mean, "documents_se": math.hypot(*ses)}
    if found is None or found[1] == 0:
        return out | dict.fromkeys(("p_value", "ratio", "interval", "test"))
    p, low, high = moderated.test(*found)
    over = f" and moderated over {prior.num_entries} entries" if prior.num_entries else ""
    return out | {
        "p_value": p,
        "ratio": math.expm1(found[0]),
        "interval": (math.expm1(low), math.expm1(high)),
        "test": f"two-sided t-test of ln(bits per byte), variance pooled{over}",
    }


def _points(x: Curve, y: Curve) -> list[dict[str, float | None]]:
    """Losses at even times up to the end of the longer curve."""
    end = max(x.seconds[-1], y.seconds[-1])
    times = [float(end * k / NUM_POINTS) for k in range(1, NUM_POINTS + 1)]
    return [{"seconds": t, "a": x.at(t), "b": y.at(t)} for t in times]
