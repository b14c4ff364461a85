"""What compares with what, and who is ahead: tracks, entries, and the record that stands.

A new record needs `MIN_SEEDS` seeds and a one-sided Welch test against the standing one at
p < `SIGNIFICANCE`; everything else is shown as unconfirmed.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from leaderboard.attestations import Submission, Verification
from speedrun.records.statistics import SIGNIFICANCE, Spread, over_seeds, welch
from speedrun.records.summary import Summary
from speedrun.records.track import Track

MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Runs of one config under different seeds."""

    id: str  # twelve hex digits of what makes the entry one
    track: Track
    name: str | None  # what is new in it, in its author's words
    authors: tuple[str, ...]
    runs: tuple[Summary, ...]  # by seed
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
    def first(self) -> Summary:
        return self.runs[0]

    @property
    def is_bound(self) -> bool:
        return self.first.likelihood == "bound"

    @property
    def is_dirty(self) -> bool:
        return any(row.dirty is not False for row in self.runs)

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
    unranked: tuple[Summary, ...]
    history: tuple[Entry, ...]  # entries that were a record, oldest first

    @property
    def records(self) -> tuple[Entry, ...]:
        """The standing record, and that among bounds."""
        return tuple(entry for entry in self.entries if entry.status == "record")


def boards(
    rows: Iterable[Summary],
    submissions: Mapping[str, Submission] | None = None,
    verifications: Mapping[str, Sequence[Verification]] | None = None,
) -> list[Board]:
    """All tracks, the most entered first."""
    submissions, verifications = submissions or {}, verifications or {}
    by_track: dict[Track, list[Summary]] = defaultdict(list)
    for row in rows:
        by_track[Track.of(row)].append(row)
    made = [_board(t, found, submissions, verifications) for t, found in by_track.items()]
    return sorted(made, key=lambda board: (-len(board.entries), board.track))


def _board(
    where: Track,
    rows: Sequence[Summary],
    submissions: Mapping[str, Submission],
    verifications: Mapping[str, Sequence[Verification]],
) -> Board:
    groups: dict[tuple[str, ...], list[Summary]] = defaultdict(list)
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
    rows: Sequence[Summary],
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
        runs=rows,
        bits_per_byte=over_seeds(rows, "bits_per_byte"),
        perplexity=over_seeds(rows, "perplexity"),
        num_tokens=over_seeds(rows, "num_tokens"),
        tokens_per_s=over_seeds(rows, "tokens_per_s"),
        verifications=tuple(found for row in rows for found in verifications.get(row.id, ())),
        created=max(row.created for row in rows),
    )


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
    for row in sorted(entry.runs, key=lambda row: row.created):
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
