"""Entries of a track: runs of one configuration, source and author, and which of them count.

Seeds are not chosen: runs of seeds 0, 1, 2, … without a gap count, or else those of duels, whose
seeds nobody picks. Other runs are shown and never averaged in.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from leaderboard.attestations import Submission, Verification, parse_time
from leaderboard.checks import reruns
from speedrun.records import energy
from speedrun.records.energy import MeanEnergy
from speedrun.records.statistics import Spread, over_seeds, spread_over
from speedrun.records.summary import Summary
from speedrun.records.track import Track

MIN_SEEDS = 3
SPREADS = ("bits_per_byte", "perplexity", "num_tokens", "tokens_per_s")  # over seeds

Basis = Literal["seeds", "duels", "none"]
Submissions = Mapping[str, Submission]
Verifications = Mapping[str, Sequence[Verification]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Runs of one config, source and author under different seeds."""

    id: str  # twelve hex digits of what identifies the entry
    base: str  # likewise, without name and author
    track: Track
    name: str | None  # what is new in it, in its author's words
    author: str | None
    runs: tuple[Summary, ...]  # by seed
    counted: frozenset[str]  # ids of those that its numbers are made of
    basis: Basis  # why these; "none": seed 0 is missing, its numbers are of all runs
    bits_per_byte: Spread  # n is 0 where none count
    perplexity: Spread
    num_tokens: Spread
    tokens_per_s: Spread
    ln_score: Spread  # of ln(bits per byte)
    verifications: tuple[Verification, ...]
    entered: str  # when its first run was made and submitted
    created: str  # when the last run that counts was made
    # Against the standing record, or, for a record, the one that it beat:
    status: str = "unconfirmed"  # or "record", "former record", "behind", "replication"
    rival: str | None = None  # id of the entry that it was compared with
    probability: float | None = None  # that it is better than its rival
    duel: str | None = None  # id of the duel that says so; None: its seeds
    p_value: float | None = None  # of that duel
    why: str = ""  # what an unconfirmed entry lacks

    @property
    def first(self) -> Summary:
        """The first of the runs that count."""
        return next(run for run in self.runs if run.id in self.counted)

    @property
    def num_extra(self) -> int:
        """Number of its runs that do not count."""
        return len(self.runs) - self.bits_per_byte.n

    @property
    def is_bound(self) -> bool:
        """Whether its scores are upper bounds."""
        return self.first.likelihood == "bound"

    @property
    def is_dirty(self) -> bool:
        """Whether it was made with changes that no commit holds."""
        return self.first.dirty is not False

    @property
    def is_outside(self) -> bool:
        """Whether its architecture comes from outside the project."""
        return self.first.is_outside

    @property
    def unfit_because(self) -> str | None:
        """The reason for which the host of a run that counts was not fit for a record."""
        counted = (run for run in self.runs if run.id in self.counted)
        return next((run.unfit_because for run in counted if run.unfit_because), None)

    @property
    def flags(self) -> str:
        """Accounts off the clock that are larger than stated limits, of a run that counts."""
        counted = (run for run in self.runs if run.id in self.counted)
        return next((run.flags for run in counted if run.flags), "")

    @property
    def matmul(self) -> float | None:
        """Mean rate of matrix products on its machines, in GFLOP/s (fp32)."""
        rates = [r.matmul for r in self.runs if r.id in self.counted and r.matmul is not None]
        return sum(rates) / len(rates) if rates else None

    @property
    def energy(self) -> MeanEnergy | None:
        """Mean energy of its trainings; None unless all were measured in one way."""
        return energy.mean([run for run in self.runs if run.id in self.counted])

    @property
    def label(self) -> str:
        """Its name, or architecture and recipe where it has none."""
        return self.name or f"{self.first.arch}, {self.first.recipe_name}"

    @property
    def lacks(self) -> list[str]:
        """Reasons for which it cannot hold a record."""
        found = ["changes that are not committed"] if self.is_dirty else []
        return found + (["a fit host"] if self.unfit_because else [])

    @property
    def complete_since(self) -> str | None:
        """Date on which it had the seeds that count; None before."""
        if self.basis != "seeds" or self.bits_per_byte.n < MIN_SEEDS:
            return None
        needed = (run for run in self.runs if run.seed < MIN_SEEDS)
        return max(run.created for run in needed if run.id in self.counted)

    @property
    def mark(self) -> str:
        """`failed`, `rerun`, `rescored`, `own` or nothing: the strongest verification.

        `own` is one by the entry's author, which confirms nothing.
        """
        if any(not found.agrees for found in self.verifications) or self._is_refuted():
            return "failed"
        others = [found for found in self.verifications if not self.is_own(found)]
        if any(self._is_rerun(found) for found in others):
            return "rerun"
        if any(found.rescored for found in others):
            return "rescored"
        return "own" if any(map(self._confirms, self.verifications)) else ""

    @property
    def num_verified(self) -> int:
        """Number of its runs that its mark is about."""
        of_others = self.mark != "own"
        return len(
            {
                v.record
                for v in self.verifications
                if self._confirms(v) and not (of_others and self.is_own(v))
            }
        )

    @property
    def is_doubted(self) -> bool:
        """Whether a second held-out set differs by more than sampling explains."""
        return any(v.second and not v.second.is_explained for v in self.verifications)

    def is_own(self, found: Verification) -> bool:
        """Whether the entry's author made this verification."""
        return self.author is not None and _plain(found.by) == _plain(self.author)

    def _confirms(self, found: Verification) -> bool:
        return found.rescored is not None or self._is_rerun(found)

    def _is_refuted(self) -> bool:
        """Whether all reruns together say what none of them does alone."""
        claimed = {run.id: run.bits_per_byte for run in self.runs}
        found = {
            note.rerun.record: claimed[note.record] * (1 + note.rerun.difference)
            for note in self.verifications
            if note.rerun is not None and self._is_rerun(note)
        }
        of_entry = [claimed[id] for id in self.counted]
        return bool(found and of_entry) and reruns.judge(of_entry, list(found.values())).refutes

    def _is_rerun(self, found: Verification) -> bool:
        """Other hardware can neither refute a claim nor confirm it."""
        return found.rerun is not None and found.rerun.hardware_class == self.track.hardware_class


def entries(
    runs: Iterable[Summary],
    submissions: Submissions,
    verifications: Verifications,
    in_duels: Collection[str],
) -> list[Entry]:
    """Entries of a track's ranked runs; `in_duels` are the ids of those that count in a duel."""
    groups: dict[tuple[tuple[str, ...], tuple[str, str]], list[Summary]] = defaultdict(list)
    for run in runs:
        submission = submissions.get(run.id)
        who = (submission.author or "", submission.name or "") if submission else ("", "")
        groups[_configuration(run), who].append(run)
    notes = submissions, verifications, in_duels
    return [
        _entry((*_track_key(group[0]), *configuration), who, group, notes)
        for (configuration, who), group in groups.items()
    ]


def base_key(run: Summary) -> tuple[str, ...]:
    """Identity of what was raced: track, configuration and source."""
    return *_track_key(run), *_configuration(run)


def _track_key(run: Summary) -> tuple[str, ...]:
    return tuple(map(str, Track.of(run)[1:]))


def _configuration(run: Summary) -> tuple[str, ...]:
    """A bound is no run of an exact entry, and uncommitted code is an entry of its own."""
    kind = run.likelihood, "" if run.dirty is False else "dirty", run.source
    return run.arch, run.backend, run.device, run.config_key, *kind


def _entry(
    base: tuple[str, ...],
    who: tuple[str, str],
    group: Iterable[Summary],
    notes: tuple[Submissions, Verifications, Collection[str]],
) -> Entry:
    submissions, verifications, in_duels = notes
    runs = tuple(sorted(group, key=lambda run: (run.seed, run.created, run.id)))
    order = {run.id: (_entered(run, submissions), run.created, run.id) for run in runs}
    by_entry = sorted(runs, key=lambda run: order[run.id])
    counted, basis = _counted(by_entry, in_duels)
    shown = counted or runs
    spreads: dict[str, Any] = {name: over_seeds(shown, name) for name in SPREADS}
    spreads["ln_score"] = ln_spread(shown)
    if not counted:
        spreads = {name: spread._replace(n=0) for name, spread in spreads.items()}
    return Entry(
        id=_digest(base + who),
        base=_digest(base),
        track=Track.of(runs[0]),
        author=who[0] or None,
        name=who[1] or None,
        runs=runs,
        counted=frozenset(run.id for run in shown),
        basis=basis,
        verifications=tuple(v for run in runs for v in verifications.get(run.id, ())),
        entered=order[by_entry[0].id][0],
        created=max(run.created for run in shown),
        **spreads,
    )


def _counted(runs: Sequence[Summary], in_duels: Collection[str]) -> tuple[list[Summary], Basis]:
    """Runs that count, of those in the order in which they were entered.

    The first run of a seed stays: repeating one to keep the better gains nothing, and a bad one
    that is added later takes nothing away. Runs with the same weights count once.
    """
    by_seed: dict[int, Summary] = {}
    for run in runs:
        by_seed.setdefault(run.seed, run)
    found: list[Summary] = []
    while (run := by_seed.get(len(found))) and run.weights_sha256 not in _weights(found):
        found.append(run)
    if len(found) < MIN_SEEDS and (duelled := [run for run in runs if run.id in in_duels]):
        return duelled, "duels"
    return found, "seeds" if found else "none"


def _weights(runs: Iterable[Summary]) -> set[str]:
    return {run.weights_sha256 for run in runs}


def ln_spread(runs: Sequence[Summary]) -> Spread:
    """Mean and deviation of ln(bits per byte) over seeds."""
    floor = 1e-300  # a score of 0 is none, but runs that nobody checked may have it
    return spread_over(runs, [math.log(max(run.bits_per_byte, floor)) for run in runs])


def _entered(run: Summary, submissions: Submissions) -> str:
    """When a run was both made and submitted, so that an early date alone gains nothing."""
    if (note := submissions.get(run.id)) is None:
        return run.created
    return max(run.created, parse_time(note.submitted).astimezone(UTC).isoformat())


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _digest(key: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:12]
