"""Boards: one for each track, with its entries, duels and runs that do not rank."""

import hashlib
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaderboard.standing.duels import JudgedDuel, in_class, judged
from leaderboard.standing.entries import Entry, Submissions, Verifications, entries
from leaderboard.standing.judge import judge
from speedrun.records.duel import Duel
from speedrun.records.sanitize import sanitize
from speedrun.records.summary import Summary
from speedrun.records.track import Track


@dataclass(frozen=True, kw_only=True)
class Board:
    """One track: its entries by bits per byte, exact ones before bounds, and unranked runs."""

    track: Track
    title: str  # of no other board
    entries: tuple[Entry, ...]
    unranked: tuple[Summary, ...]
    history: tuple[Entry, ...]  # entries that were a record, oldest first
    duels: tuple[JudgedDuel, ...]  # oldest first
    matmul: float | None  # median rate of matrix products of the hardware class, in GFLOP/s

    @property
    def records(self) -> tuple[Entry, ...]:
        """The standing record, and that among bounds."""
        return tuple(entry for entry in self.entries if entry.status == "record")


def boards(
    runs: Iterable[Summary],
    submissions: Submissions | None = None,
    verifications: Verifications | None = None,
    duels: Sequence[Duel] = (),
) -> list[Board]:
    """All tracks, those with most entries first; `duels` hold."""
    of_duel = {id: duel for duel in duels for id in duel.records}
    tracks: dict[Track, list[Summary]] = {}
    held: dict[Track, dict[str, Duel]] = defaultdict(dict)
    for run in runs:
        if (duel := of_duel.get(run.id)) is not None:
            run = in_class(run, duel)
            held[Track.of(run)][duel.id] = duel
        tracks.setdefault(Track.of(run), []).append(run)
    medians = _medians(run for group in tracks.values() for run in group)
    counting = {id for duel in duels for pair in duel.counted for id in (pair.a, pair.b)}
    found = []
    for track, title in titles(tracks).items():
        ranked = [run for run in tracks[track] if run.unranked_because is None]
        made = entries(ranked, submissions or {}, verifications or {}, counting)
        fought = judged(held[track].values(), made)
        kinds = [_of_kind(made, fought, is_bound=is_bound) for is_bound in (False, True)]
        (exact, past), (bounds, past_bounds) = (judge(*kind) for kind in kinds)
        found.append(
            Board(
                track=track,
                title=title,
                entries=(*exact, *bounds),
                unranked=tuple(r for r in tracks[track] if r.unranked_because is not None),
                history=(*past, *past_bounds),
                duels=tuple(fought),
                matmul=medians.get(track.hardware_class),
            )
        )
    return sorted(found, key=lambda board: (-len(board.entries), board.track))


def titles(tracks: Iterable[Track]) -> dict[Track, str]:
    """A title for each track, none like another: data can be made so that short digests agree."""
    given = {track: sanitize(track.label) for track in tracks}
    count = Counter(map(str.casefold, given.values()))
    longer = {track: f"{title} · {_digest(track)}" for track, title in given.items()}
    chosen = {t: title if count[title.casefold()] == 1 else longer[t] for t, title in given.items()}
    return chosen if len({*map(str.casefold, chosen.values())}) == len(chosen) else longer


def _digest(track: Track) -> str:
    text = "\0".join(map(str, track[1:])).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]


def _medians(runs: Iterable[Summary]) -> dict[str, float]:
    """Median rate of matrix products by hardware class, over all tracks."""
    rates: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        if run.matmul is not None:
            rates[run.hardware_class].append(run.matmul)
    return {name: statistics.median(found) for name, found in rates.items()}


def _of_kind(
    made: Iterable[Entry], duels: Iterable[JudgedDuel], *, is_bound: bool
) -> tuple[list[Entry], list[JudgedDuel]]:
    """Entries and duels with exact scores, or those with bounds."""
    fought = [duel for duel in duels if duel.entries["a"].is_bound == is_bound]
    return [entry for entry in made if entry.is_bound == is_bound], fought
