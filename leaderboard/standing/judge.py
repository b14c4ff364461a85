"""Judgement of the entries of a track: who holds the record, and how the others stand to it.

The first entry with `MIN_SEEDS` seeds, or the A side of the first duel, holds the record; from
then on only a duel of `RECORD_PAIRS` pairs against its holder moves it. Everybody else is ranked by
mean, with the probability of being better than the record.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from leaderboard.standing import moderated
from leaderboard.standing.duels import JudgedDuel
from leaderboard.standing.entries import MIN_SEEDS, Entry
from leaderboard.standing.moderated import Prior
from speedrun.duel.verdict import RECORD_PAIRS
from speedrun.records.duel import SIDES, other


def judge(entries: Sequence[Entry], duels: Sequence[JudgedDuel]) -> tuple[list[Entry], list[Entry]]:
    """The entries by score, each with its standing; and those that ever were the record."""
    reigns = _reigns({entry.id: entry for entry in entries}, duels)
    history = [replace(entry, status="former record") for entry in reigns[:-1]] + reigns[-1:]
    past = {entry.id: entry for entry in history}
    originals = _originals(entries)
    prior = moderated.fit(entry.ln_score for entry in entries)
    holder = reigns[-1] if reigns else None
    judged = []
    for entry in entries:
        found = past.get(entry.id) or _compare(entry, holder, prior, duels)
        first = originals[entry.base]
        if found.status in ("behind", "unconfirmed") and entry.id != first.id:
            found = replace(found, status="replication", why=f"of {first.id[:8]}")
        judged.append(found)
    return sorted(judged, key=_place), history


def _place(entry: Entry) -> tuple[bool, float, str]:
    """By mean, those of which no run counts behind all others."""
    return entry.bits_per_byte.n == 0, entry.bits_per_byte.mean, entry.id


def _originals(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The first entry of each configuration; others replicate it."""
    newest_first = sorted(entries, key=lambda entry: (entry.entered, entry.id), reverse=True)
    return {entry.base: entry for entry in newest_first}


def _reigns(entries: Mapping[str, Entry], duels: Sequence[JudgedDuel]) -> list[Entry]:
    """Entries that held the record, in turn."""
    waiting = [duel for duel in duels if not duel.why_not]
    able = (entry for entry in entries.values() if not entry.lacks)
    firsts = [(entry.complete_since, entry.id) for entry in able if entry.complete_since]
    firsts += [(duel.finished, duel.entries["a"].id) for duel in duels if _may_open(duel)]
    if not firsts:
        return []
    reigns = [replace(entries[min(firsts)[1]], status="record")]
    # From the start again after each: an older duel may have been won against this very holder.
    while found := next((duel for duel in waiting if _beaten(duel).base == reigns[-1].base), None):
        waiting.remove(found)
        assert found.winner is not None
        winner = entries[found.entries[found.winner].id]
        reigns.append(_compared(winner, found, reigns[-1].id, status="record"))
    return reigns


def _may_open(duel: JudgedDuel) -> bool:
    """Whether the A side of a duel holds the record where nobody did before."""
    is_enough = len(duel.duel.counted) >= RECORD_PAIRS and duel.verdict.decision != "open"
    return is_enough and not duel.entries["a"].lacks


def _beaten(duel: JudgedDuel) -> Entry:
    assert duel.winner is not None
    return duel.entries[other(duel.winner)]


def _compare(
    entry: Entry, holder: Entry | None, prior: Prior, duels: Iterable[JudgedDuel]
) -> Entry:
    """An entry that never was the record, with what it lacks."""
    num = entry.bits_per_byte.n
    lacks = [f"{num} of {MIN_SEEDS} seeds"] if num < MIN_SEEDS else []
    lacks += entry.lacks
    if holder is None:
        return replace(entry, why=", ".join(lacks))
    met = [duel for duel in duels if _against(duel, entry, holder)]
    if met:
        best = max(met, key=lambda one: (len(one.duel.counted), one.finished))
        is_behind = best.winner is not None and best.entries[best.winner].id != entry.id
        status = "behind" if is_behind else "unconfirmed"
        return _compared(entry, best, holder.id, status=status, why=best.why_not)
    is_behind = entry.bits_per_byte.mean >= holder.bits_per_byte.mean
    lacks += [] if is_behind else ["needs a duel"]
    return replace(
        entry,
        rival=holder.id,
        probability=moderated.probability(entry.ln_score, holder.ln_score, prior),
        status="behind" if is_behind else "unconfirmed",
        why=", ".join(lacks),
    )


def _against(duel: JudgedDuel, entry: Entry, holder: Entry) -> bool:
    """Whether an entry met this configuration in a duel, whoever raced that."""
    pairs = [(duel.entries[side], duel.entries[other(side)]) for side in SIDES]
    return any(own.id == entry.id and rival.base == holder.base for own, rival in pairs)


def _compared(entry: Entry, duel: JudgedDuel, rival: str, **changes: Any) -> Entry:
    """An entry with what a duel of its says."""
    found, is_b = duel.verdict, duel.entries["b"].id == entry.id
    return replace(
        entry,
        rival=rival,
        duel=duel.duel.id,
        probability=found.probability if is_b else 1 - found.probability,
        p_value=found.p_value if is_b else found.p_value_a,
        **changes,
    )
