"""Two runs or entries side by side: settings, curves, significance, time to equal loss."""

import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from leaderboard import index, rank, validate
from leaderboard.commands import WIDE
from leaderboard.index import Index
from leaderboard.render import comparison
from leaderboard.store import ID_PREFIX, Store, open_store
from speedrun.records import statistics as significance
from speedrun.records.files import RECORD
from speedrun.records.schema import Record, load
from speedrun.records.statistics import Spread, over_seeds
from speedrun.records.summary import Summary, summarize
from speedrun.records.track import Track
from speedrun.system.paths import cache_dir
from speedrun.text import format_size

NUM_POINTS = 20  # of a curve, evenly up to the end of the longer one
SMOOTHING = 0.05  # share of the budget that a loss is averaged over: single steps are noise
_MISSING = "-"


@dataclass(frozen=True)
class Side:
    """One of the two: a run, or the runs of an entry."""

    label: str
    records: Sequence[Record]

    @property
    def runs(self) -> list[Summary]:
        return [summarize(record) for record in self.records]

    @property
    def first(self) -> Record:
        return self.records[0]

    @property
    def track(self) -> Track:
        return Track.of(self.runs[0])

    def over_seeds(self, name: str) -> Spread:
        return over_seeds(self.runs, name)


@dataclass(frozen=True)
class Curve:
    """Training loss over seconds of the budget, smoothed, the mean of the side's runs."""

    seconds: NDArray[np.float64]
    nats: NDArray[np.float64]

    @property
    def final(self) -> float:
        return float(self.nats[-1])

    def at(self, second: float) -> float | None:
        """The loss at a time; None outside the curve."""
        if not len(self.seconds) or not self.seconds[0] <= second <= self.seconds[-1] + 1e-6:
            return None
        return float(np.interp(second, self.seconds, self.nats))

    def reached(self, nats: float) -> float | None:
        """The first second from which the smoothed loss is at most `nats`."""
        below = np.flatnonzero(self.nats <= nats)
        return float(self.seconds[below[0]]) if len(below) else None


def compare_command(a: str, b: str, *, from_: str | None, as_json: bool) -> None:
    """Print two sides, or one JSON object of what was found."""
    finder = _Finder(from_)
    found = compared(finder.side(a), finder.side(b))
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False))
    else:
        comparison.show(Console(width=None if sys.stdout.isatty() else WIDE), found)


class _Finder:
    """Looks sides up; the leaderboard is read once, and only if an id asks for it."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._read: tuple[Store, Index] | None = None

    def side(self, text: str) -> Side:
        path = Path(text)
        if path.exists():
            file = path / RECORD if path.is_dir() else path
            if not file.is_file():
                raise ValueError(f"{text}: no {RECORD} there; give the folder of a finished run")
            return _ranked(text, _run_label(record := load(file)), [record])
        if not ID_PREFIX.fullmatch(text):
            raise ValueError(
                f"{text!r}: no such folder and no id; give the folder of a finished run or at"
                " least four digits of an id that `leaderboard` shows"
            )
        return self._by_id(text)

    def _by_id(self, prefix: str) -> Side:
        if self._read is None:
            store = open_store(self._url)
            self._read = store, index.read(store, cache_dir())
        store, found = self._read
        boards = rank.boards(found.runs, found.submissions, found.verifications)
        entries = [
            entry for board in boards for entry in board.entries if entry.id.startswith(prefix)
        ]
        ids = [found_row.id for found_row in found.runs if found_row.id.startswith(prefix)]
        if len(entries) + len(ids) != 1:
            what = "no entry or record" if not entries and not ids else "more than one"
            raise LookupError(f"{store.url}: {what} begins with {prefix}")
        if ids:
            record = index.fetch(store, ids[0])
            return _ranked(prefix, _run_label(record), [record])
        records = [index.fetch(store, row.id, row.file_sha256) for row in entries[0].runs]
        return _ranked(prefix, f"{entries[0].label} (n = {entries[0].bits_per_byte.n})", records)


def _ranked(text: str, label: str, records: list[Record]) -> Side:
    if any(record.score is None for record in records):
        raise ValueError(f"{text}: the run has no score, so there is nothing to compare")
    return Side(label, records)


def _run_label(record: Record) -> str:
    recipe = record.config.get("recipe_name", "")
    return f"{record.arch} {format_size(record.num_params)}, {recipe}, seed {record.seed}"


def compared(a: Side, b: Side) -> dict[str, Any]:
    """Everything that is said about two sides, as plain values."""
    curves, why_not = _curves(a, b)
    return {
        "a": _facts(a),
        "b": _facts(b),
        "caveats": _caveats(a, b),
        "settings": _differences(a.first, b.first),
        "score": _significance(a, b),
        "curves": None if curves is None else _points(*curves),
        "no_curves": why_not,
        "time_to_equal_loss": None if curves is None else _time_to_equal(*curves),
    }


def _facts(side: Side) -> dict[str, Any]:
    first = side.first
    return {
        "label": side.label,
        "ids": [record.id for record in side.records],
        "bits_per_byte": side.over_seeds("bits_per_byte")._asdict(),
        "perplexity": side.over_seeds("perplexity")._asdict(),
        "likelihood": side.runs[0].likelihood,
        "num_params": first.num_params,
        "num_tokens": side.over_seeds("num_tokens")._asdict(),
        "tokens_per_s": side.over_seeds("tokens_per_s")._asdict(),
        "backend": f"{first.backend} {first.device}",
        "hardware_class": first.hardware.hardware_class,
        "commit": (first.code.commit or "unknown")[:10],
        "versions": dict(first.versions),
    }


def _caveats(a: Side, b: Side) -> list[str]:
    """Why the scores may not be held against each other."""
    out = []
    for letter, side in (("A", a), ("B", b)):
        for found in side.records:
            if problems := validate.problems(found):
                out.append(f"{letter} would not be accepted: {'; '.join(problems)}")
    # The name of a local copy is that of its folder; the fingerprints say what it is.
    track_a, track_b = (side.track._replace(data_name="") for side in (a, b))
    if track_a != track_b:
        pairs = zip(Track._fields, track_a, track_b, strict=True)
        differ = ", ".join(
            f"{name} {str(x)[:24]} against {str(y)[:24]}" for name, x, y in pairs if x != y
        )
        out.append(f"they belong to different tracks, which do not compare: {differ}")
    if a.runs[0].likelihood != b.runs[0].likelihood:
        out.append("one score is exact, the other an upper bound of what its model reaches")
    return out


def _differences(a: Record, b: Record) -> list[tuple[str, Any, Any]]:
    """Settings that differ, the seed apart."""
    flat_a, flat_b = _flat(a.config), _flat(b.config)
    keys = [key for key in dict.fromkeys((*flat_a, *flat_b)) if key != "seed"]
    pairs = [(key, flat_a.get(key, _MISSING), flat_b.get(key, _MISSING)) for key in keys]
    return [(key, x, y) for key, x, y in pairs if x != y]


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def _significance(a: Side, b: Side) -> dict[str, Any]:
    """Whether B's bits per byte differ from A's by more than noise (Welch, two-sided)."""
    x, y = a.over_seeds("bits_per_byte"), b.over_seeds("bits_per_byte")
    out: dict[str, Any] = {"difference": y.mean - x.mean, "p_value": None, "interval": None}
    if x.sd is not None and y.sd is not None and x.sd + y.sd > 0:
        one_sided = significance.welch(y, x)
        out["p_value"] = 2 * min(one_sided, 1 - one_sided)
        out["interval"] = significance.welch_interval(y, x)
    # Documents are the same for both, so this overstates what chance of documents can do.
    ses = [statistics.fmean(found.bits_per_byte_se for found in side.runs) for side in (a, b)]
    out["documents_se"] = math.hypot(*ses)
    return out


def _curves(a: Side, b: Side) -> tuple[tuple[Curve, Curve] | None, str]:
    if a.first.tokenizer.fingerprint != b.first.tokenizer.fingerprint:
        return None, "their tokenizers differ, so nats of a token do not compare"
    if a.runs[0].likelihood != b.runs[0].likelihood:
        return None, "one trains on an exact loss, the other on that of noised text"
    curves = curve(a.records), curve(b.records)
    for side, found in zip((a, b), curves, strict=True):
        if not len(found.nats):
            return None, f"{side.label} has no loss curve"
    return curves, ""


def curve(records: Sequence[Record]) -> Curve:
    """The mean of the smoothed loss curves of runs with one budget."""
    smoothed = []
    for record in records:
        points = [(share, nats) for share, nats in record.train.loss_curve if nats is not None]
        if points:
            share, nats = np.array(points, dtype=np.float64).T
            smoothed.append((share * record.budget_s, _smooth(share, nats)))
    if not smoothed:
        return Curve(np.empty(0), np.empty(0))
    seconds = max((s for s, _ in smoothed), key=len)
    mean = np.mean([np.interp(seconds, s, nats) for s, nats in smoothed], axis=0)
    return Curve(seconds, mean)


def _smooth(share: NDArray[np.float64], nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the losses within the last `SMOOTHING` of the budget."""
    starts = np.searchsorted(share, share - SMOOTHING)
    sums = np.concatenate(([0.0], np.cumsum(nats)))
    ends = np.arange(1, len(nats) + 1)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _points(x: Curve, y: Curve) -> list[dict[str, float | None]]:
    end = max(x.seconds[-1], y.seconds[-1])
    times = [end * k / NUM_POINTS for k in range(1, NUM_POINTS + 1)]
    return [{"seconds": float(t), "a": x.at(t), "b": y.at(t)} for t in times]


def _time_to_equal(x: Curve, y: Curve) -> dict[str, float | None]:
    """When each reached the other's final training loss, in seconds of the budget."""
    return {
        "a_final": x.final,
        "b_final": y.final,
        "b_reached_a_final_s": y.reached(x.final),
        "a_reached_b_final_s": x.reached(y.final),
    }
