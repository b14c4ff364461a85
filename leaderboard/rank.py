"""Ranking: entries of a track, and the record that stands.

A new record needs `MIN_SEEDS` seeds and a one-sided Welch test against the standing one at
p < `SIGNIFICANCE`; everything else is shown as unconfirmed.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leaderboard.attestations import Submission, Verification
from speedrun.records.statistics import SIGNIFICANCE, Spread, over_seeds, welch
from speedrun.records.summary import Summary
from speedrun.records.track import Track

MIN_SEEDS = 3
SPREADS = ("bits_per_byte", "perplexity", "num_tokens", "tokens_per_s")  # over seeds


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Runs of one config under different seeds."""

    id: str  # twelve hex digits of what identifies the entry
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
    rival: str | None = None  # id of the entry that it was compared with
    p_value: float | None = None
    why: str = ""  # what an unconfirmed entry lacks

    @property
    def first(self) -> Summary:
        """The run of the lowest seed."""
        return self.runs[0]

    @property
    def is_bound(self) -> bool:
        """Whether its scores are upper bounds."""
        return self.first.likelihood == "bound"

    @property
    def is_dirty(self) -> bool:
        """Whether a run was made with changes that no commit holds."""
        return any(run.dirty is not False for run in self.runs)

    @property
    def label(self) -> str:
        """Its name, or architecture and recipe where it has none."""
        return self.name or f"{self.first.arch}, {self.first.recipe_name}"

    @property
    def mark(self) -> str:
        """`failed`, `rerun`, `rescored` or nothing: the strongest of its verifications."""
        if any(not found.agrees for found in self.verifications):
            return "failed"
        if any(self._is_rerun(found) for found in self.verifications):
            return "rerun"
        return "rescored" if any(found.rescored for found in self.verifications) else ""

    @property
    def num_verified(self) -> int:
        """Number of its runs that somebody rescored or reran."""
        return len({v.record for v in self.verifications if v.rescored or self._is_rerun(v)})

    def _is_rerun(self, found: Verification) -> bool:
        """Other hardware can neither refute a claim nor confirm it."""
        return found.rerun is not None and found.rerun.hardware_class == self.track.hardware_class


@dataclass(frozen=True)
class Board:
    """One track: its entries by bits per byte, exact ones before bounds, and unranked runs."""

    track: Track
    entries: tuple[Entry, ...]
    unranked: tuple[Summary, ...]
    history: tuple[Entry, ...]  # entries that were a record, oldest first

    @property
    def records(self) -> tuple[Entry, ...]:
        """The standing record, and that among bounds."""
        return tuple(entry for entry in self.entries if entry.status == "record")


def boards(
    runs: Iterable[Summary],
    submissions: Mapping[str, Submission] | None = None,
    verifications: Mapping[str, Sequence[Verification]] | None = None,
) -> list[Board]:
    """All tracks, those with most entries first."""
    submissions, verifications = submissions or {}, verifications or {}
    groups: dict[tuple[str, ...], list[Summary]] = defaultdict(list)
    tracks: dict[Track, list[Summary]] = defaultdict(list)  # with the runs that do not rank
    named: dict[Track, Track] = {}  # equal ones may have different names
    for run in runs:
        track = named.setdefault(Track.of(run), Track.of(run))
        unranked = tracks[track]
        if run.unranked_because is not None:
            unranked.append(run)
            continue
        submission = submissions.get(run.id)
        name = (submission.name if submission else None) or ""
        # A bound is no run of an exact entry. Uncommitted code is an entry of its own, or
        # anybody could unseat a record with one run of it.
        kind = run.likelihood, "" if run.dirty is False else "dirty"
        key = run.arch, run.backend, run.device, run.config_key, *kind, name
        groups[*map(str, track), *key].append(run)
    entries: dict[Track, list[Entry]] = defaultdict(list)
    for key, group in groups.items():
        entry = _entry(key, group, submissions, verifications)
        entries[entry.track].append(entry)
    made = [_board(track, entries[track], unranked) for track, unranked in tracks.items()]
    return sorted(made, key=lambda board: (-len(board.entries), board.track))


def _board(track: Track, entries: Sequence[Entry], unranked: Sequence[Summary]) -> Board:
    exact, past = _judge([entry for entry in entries if not entry.is_bound])
    bounds, past_bounds = _judge([entry for entry in entries if entry.is_bound])
    return Board(track, (*exact, *bounds), tuple(unranked), (*past, *past_bounds))


def _entry(
    key: tuple[str, ...],
    group: Iterable[Summary],
    submissions: Mapping[str, Submission],
    verifications: Mapping[str, Sequence[Verification]],
) -> Entry:
    runs = tuple(sorted(group, key=lambda run: (run.seed, run.created, run.id)))
    authors = [submissions[run.id].author for run in runs if run.id in submissions]
    spreads: dict[str, Any] = {name: over_seeds(runs, name) for name in SPREADS}
    return Entry(
        id=hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:12],
        track=Track.of(runs[0]),
        name=key[-1] or None,
        authors=tuple(dict.fromkeys(filter(None, authors))),
        runs=runs,
        verifications=tuple(v for run in runs for v in verifications.get(run.id, ())),
        created=max(run.created for run in runs),
        **spreads,
    )


def _judge(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The entries by score, each with its standing; and those that ever were the record."""
    fit = [e for e in entries if e.bits_per_byte.n >= MIN_SEEDS and not e.is_dirty]
    waiting = sorted(fit, key=lambda entry: (_complete_since(entry), entry.id))
    reigns = [replace(waiting.pop(0), status="record")] if waiting else []
    # From the start again after each: who did not beat the last record may well beat this one,
    # whose seeds differ less.
    while found := next((e for e in waiting if _p_value(e, reigns[-1]) < SIGNIFICANCE), None):
        waiting.remove(found)
        p = _p_value(found, reigns[-1])
        reigns.append(replace(found, status="record", rival=reigns[-1].id, p_value=p))
    history = [replace(entry, status="former record") for entry in reigns[:-1]] + reigns[-1:]
    past = {entry.id: entry for entry in history}
    judged = [past.get(e.id) or _compare(e, reigns[-1] if reigns else None) for e in entries]
    return sorted(judged, key=lambda entry: (entry.bits_per_byte.mean, entry.id)), history


def _p_value(entry: Entry, standing: Entry) -> float:
    return welch(entry.bits_per_byte, standing.bits_per_byte)


def _complete_since(entry: Entry) -> str:
    """Date on which the entry had the seeds that a record needs."""
    newest_first = sorted(entry.runs, key=lambda run: run.created, reverse=True)
    first = {run.seed: run.created for run in newest_first}
    return sorted(first.values())[MIN_SEEDS - 1]


def _compare(entry: Entry, standing: Entry | None) -> Entry:
    """An entry that never was the record, with what it lacks."""
    lacks = []
    if entry.bits_per_byte.n < MIN_SEEDS:
        lacks.append(f"{entry.bits_per_byte.n} of {MIN_SEEDS} seeds")
    if entry.is_dirty:
        lacks.append("changes that are not committed")
    if standing is None:
        return replace(entry, why=", ".join(lacks))
    p = _p_value(entry, standing)
    compared = replace(entry, rival=standing.id, p_value=None if math.isnan(p) else p)
    if entry.bits_per_byte.mean >= standing.bits_per_byte.mean:
        return replace(compared, status="behind", why=", ".join(lacks))
    if not lacks:
        lacks.append(f"p = {p:.2g}, needs p < {SIGNIFICANCE:g}")
    return replace(compared, why=", ".join(lacks))
