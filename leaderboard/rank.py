"""What compares with what, and who is ahead: tracks, entries, and the record that stands.

A new record needs `MIN_SEEDS` seeds and a one-sided Welch test against the standing one at
p < `SIGNIFICANCE`; everything else is shown as unconfirmed.
"""

import hashlib
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from leaderboard.attestations import Submission, Verification
from speedrun.records.statistics import SIGNIFICANCE, Spread, welch
from speedrun.records.summary import Row

MIN_SEEDS = 3


class Track(NamedTuple):
    """Results compare only inside one: data, held-out documents, budget, hardware class."""

    data_name: str
    train_fingerprint: str
    heldout_fingerprint: str
    num_docs: int
    budget_s: float
    hardware_class: str

    @property
    def label(self) -> str:
        """`tinystories@ff16 · 2000 documents · 5 min · cpu-x86_64-2c-amx`."""
        return (
            f"{self.data_name}@{self.train_fingerprint[:4]} · {self.num_docs} documents ·"
            f" {self.budget_s / 60:g} min · {self.hardware_class}"
        )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Runs of one config under different seeds."""

    id: str  # twelve hex digits of what makes the entry one
    track: Track
    name: str | None  # what is new in it, in its author's words
    authors: tuple[str, ...]
    rows: tuple[Row, ...]  # by seed
    bits_per_byte: Spread
    perplexity: Spread
    num_tokens: Spread
    tokens_per_s: Spread
    verifications: tuple[Verification, ...]
    created: str  # when its last run was made
    # Against the record that stood when this entry had its seeds, or stands now:
    status: str = "unconfirmed"  # or "record", "former record", "behind"
    rival: str | None = None  # id of the entry that it was held against
    p_value: float | None = None
    why: str = ""  # what an unconfirmed entry lacks

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def is_bound(self) -> bool:
        return self.first.likelihood == "bound"

    @property
    def is_dirty(self) -> bool:
        return any(row.dirty is not False for row in self.rows)

    @property
    def label(self) -> str:
        return self.name or f"{self.first.arch}, {self.first.recipe_name}"

    @property
    def mark(self) -> str:
        """`failed`, `rerun`, `rescored` or nothing: the most that its verifications say."""
        if any(not found.agrees for found in self.verifications):
            return "failed"
        if any(self._is_raced_again(found) for found in self.verifications):
            return "rerun"
        return "rescored" if any(found.rescored for found in self.verifications) else ""

    def _is_raced_again(self, found: Verification) -> bool:
        """Other hardware can neither refute a claim nor bear it out."""
        return found.rerun is not None and found.rerun.hardware_class == self.track.hardware_class

    @property
    def num_verified(self) -> int:
        """How many of its runs somebody rescored or raced again."""
        ids = {
            found.record
            for found in self.verifications
            if found.rescored is not None or self._is_raced_again(found)
        }
        return len(ids)


@dataclass(frozen=True)
class Board:
    """One track: its entries by bits per byte, exact ones before bounds, and what is left out."""

    track: Track
    entries: tuple[Entry, ...]
    unranked: tuple[Row, ...]
    history: tuple[Entry, ...]  # entries that were a record, oldest first

    @property
    def records(self) -> tuple[Entry, ...]:
        """The standing record, and that among bounds."""
        return tuple(entry for entry in self.entries if entry.status == "record")


def track(row: Row) -> Track:
    return Track(
        row.data_name,
        row.train_fingerprint,
        row.heldout_fingerprint,
        row.num_docs,
        row.budget_s,
        row.hardware_class,
    )


def boards(
    rows: Iterable[Row],
    submissions: Mapping[str, Submission] | None = None,
    verifications: Mapping[str, Sequence[Verification]] | None = None,
) -> list[Board]:
    """All tracks, the most entered first."""
    submissions, verifications = submissions or {}, verifications or {}
    by_track: dict[Track, list[Row]] = defaultdict(list)
    for row in rows:
        by_track[track(row)].append(row)
    made = [_board(t, found, submissions, verifications) for t, found in by_track.items()]
    return sorted(made, key=lambda board: (-len(board.entries), board.track))


def _board(
    where: Track,
    rows: Sequence[Row],
    submissions: Mapping[str, Submission],
    verifications: Mapping[str, Sequence[Verification]],
) -> Board:
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row.unranked_because is None:
            note = submissions.get(row.id)
            name = (note.name if note else None) or ""
            # A bound is no run of an exact entry; and else anybody could unseat a record with
            # one run of uncommitted code.
            kind = row.likelihood, "" if row.dirty is False else "dirty"
            groups[row.arch, row.backend, row.device, row.config_key, *kind, name].append(row)
    entries = [
        _entry(where, key, group, submissions, verifications) for key, group in groups.items()
    ]
    judged: list[Entry] = []
    history: list[Entry] = []
    for bound in (False, True):
        ranked, past = _judge([entry for entry in entries if entry.is_bound == bound])
        judged += ranked
        history += past
    unranked = tuple(row for row in rows if row.unranked_because is not None)
    return Board(where, tuple(judged), unranked, tuple(history))


def _entry(
    where: Track,
    key: tuple[str, ...],
    rows: Sequence[Row],
    submissions: Mapping[str, Submission],
    verifications: Mapping[str, Sequence[Verification]],
) -> Entry:
    rows = tuple(sorted(rows, key=lambda row: (row.seed, row.created, row.id)))
    digest = hashlib.sha256("\0".join((*map(str, where), *key)).encode("utf-8", "surrogatepass"))
    notes = [submissions[row.id] for row in rows if row.id in submissions]
    return Entry(
        id=digest.hexdigest()[:12],
        track=where,
        name=key[-1] or None,
        authors=tuple(dict.fromkeys(note.author for note in notes if note.author)),
        rows=rows,
        bits_per_byte=over_seeds(rows, [row.bits_per_byte for row in rows]),
        perplexity=over_seeds(rows, [row.perplexity for row in rows]),
        num_tokens=over_seeds(rows, [row.num_tokens for row in rows]),
        tokens_per_s=over_seeds(rows, [row.tokens_per_s for row in rows]),
        verifications=tuple(found for row in rows for found in verifications.get(row.id, ())),
        created=max(row.created for row in rows),
    )


def over_seeds(rows: Sequence[Row], values: Sequence[float]) -> Spread:
    """Mean and deviation over seeds that tell something new.

    Runs of one seed count as their mean: the better of two is no result. Runs with the same
    weights count once, whatever seeds they name.
    """
    by_seed: dict[int, list[float]] = defaultdict(list)
    seen: set[str] = set()
    for row, value in zip(rows, values, strict=True):
        if row.weights_sha256 not in seen:
            seen.add(row.weights_sha256)
            by_seed[row.seed].append(value)
    means = [statistics.fmean(found) for found in by_seed.values()]
    if len(means) == 1 or min(means) == max(means):
        return Spread(means[0], 0.0 if len(means) > 1 else None, len(means))
    mean = statistics.fmean(means)
    # As statistics.stdev, whose exact fractions take a second for a large leaderboard.
    sd = math.hypot(*(value - mean for value in means)) / math.sqrt(len(means) - 1)
    return Spread(mean, sd, len(means))


def _judge(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The entries by score, each with its standing; and those that ever were the record."""
    fit = [e for e in entries if e.bits_per_byte.n >= MIN_SEEDS and not e.is_dirty]
    waiting = sorted(fit, key=lambda entry: (_complete_since(entry), entry.id))
    reigns = [replace(waiting.pop(0), status="record")] if waiting else []
    # From the start again after each: who did not beat the last record may well beat this one,
    # whose seeds differ less.
    while found := next((e for e in waiting if _beats(e, reigns[-1])), None):
        waiting.remove(found)
        p = welch(found.bits_per_byte, reigns[-1].bits_per_byte)
        reigns.append(replace(found, status="record", rival=reigns[-1].id, p_value=p))
    history = [replace(entry, status="former record") for entry in reigns[:-1]] + reigns[-1:]
    past = {entry.id: entry for entry in history}
    standing = reigns[-1] if reigns else None
    judged = [past.get(entry.id) or _held_against(entry, standing) for entry in entries]
    return sorted(judged, key=lambda entry: (entry.bits_per_byte.mean, entry.id)), history


def _beats(entry: Entry, standing: Entry) -> bool:
    return welch(entry.bits_per_byte, standing.bits_per_byte) < SIGNIFICANCE


def _complete_since(entry: Entry) -> str:
    """When the entry had the seeds that a record needs."""
    first: dict[int, str] = {}
    for row in sorted(entry.rows, key=lambda row: row.created):
        first.setdefault(row.seed, row.created)
    return sorted(first.values())[MIN_SEEDS - 1]


def _held_against(entry: Entry, standing: Entry | None) -> Entry:
    """An entry that never was the record, with what it lacks."""
    lacks = []
    if entry.bits_per_byte.n < MIN_SEEDS:
        lacks.append(f"{entry.bits_per_byte.n} of {MIN_SEEDS} seeds")
    if entry.is_dirty:
        lacks.append("changes that are not committed")
    if standing is None:
        return replace(entry, why=", ".join(lacks))
    p = welch(entry.bits_per_byte, standing.bits_per_byte)
    held = replace(entry, rival=standing.id, p_value=None if math.isnan(p) else p)
    if entry.bits_per_byte.mean >= standing.bits_per_byte.mean:
        return replace(held, status="behind", why=", ".join(lacks))
    if not lacks:
        lacks.append(f"p = {p:.2g}, needs p < {SIGNIFICANCE:g}")
    return replace(held, why=", ".join(lacks))


@dataclass(frozen=True)
class Standing:
    """A run's place among the ranked runs of its track."""

    place: int
    num_runs: int
    best: Row | None  # the best of the others


def standing(row: Row, others: Iterable[Row]) -> Standing:
    """Where a ranked run stands by bits per byte; bounds stand behind exact scores."""
    rivals = [
        other
        for other in others
        if other.id != row.id and track(other) == track(row) and other.unranked_because is None
    ]
    ahead = [other for other in rivals if _key(other) < _key(row)]
    best = min(rivals, key=_key, default=None)
    return Standing(len(ahead) + 1, len(rivals) + 1, best)


def _key(row: Row) -> tuple[bool, float]:
    return row.likelihood == "bound", row.bits_per_byte
