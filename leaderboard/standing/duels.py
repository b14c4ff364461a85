"""Duels on a leaderboard: whether one holds against the records of its runs, and its verdict."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from leaderboard.attestations import parse_time
from leaderboard.standing.entries import Entry, base_key
from speedrun.duel.verdict import RECORD_PAIRS, Verdict, verdict
from speedrun.records.duel import SIDES, Duel, DuelPair, SideName
from speedrun.records.sanitize import brief, is_sanitized
from speedrun.records.schema import Record
from speedrun.records.summary import Summary, summarize

_NEW_CLASSES = 4  # records before this schema name hardware classes otherwise


@dataclass(frozen=True, kw_only=True)
class JudgedDuel:
    """A duel that holds, with its verdict and the entries that its runs belong to."""

    duel: Duel
    verdict: Verdict
    entries: Mapping[SideName, Entry]
    finished: str  # when its last run was made

    @property
    def winner(self) -> SideName | None:
        """The side that is better by the rule of the duel; None where that is not shown."""
        return self.verdict.decision if self.verdict.decision in SIDES else None

    @property
    def why_not(self) -> str:
        """The reason for which it moves no record; "" where it may."""
        num = len(self.duel.counted)
        if num < RECORD_PAIRS:
            return f"a duel of {num} pairs, {RECORD_PAIRS} are needed"
        for side in SIDES:
            if lacks := self.entries[side].lacks:
                return f"{side.upper()}: {', '.join(lacks)}"
        if self.verdict.decision == "open":
            return f"a duel of {num} pairs that is not finished"
        return "" if self.winner else "a duel without a decision"


def problems(duel: Duel, records: Mapping[str, Record]) -> list[str]:
    """All reasons for which a duel does not hold, given its records; empty for one that does.

    Seeds, indices and order were checked when it was parsed.
    """
    if missing := [id for id in duel.records if id not in records]:
        count = f"{len(missing)} of its {len(duel.records)} records"
        return [f"{count} are not there or not valid, the first is {missing[0][:12]}"]
    found = [*_itself(duel), *_machine(duel, records)]
    for pair in duel.pairs:
        for side in SIDES:
            found += _run(duel, pair, side, records[getattr(pair, side)])
        found += _disturbance(pair, records[pair.a], records[pair.b])
    if not found:
        runs = {id: in_class(summarize(record), duel) for id, record in records.items()}
        found += _sides(duel, runs)
    return found


def in_class(run: Summary, duel: Duel) -> Summary:
    """A run of the duel in the class that the duel names, as `speedrun.records.duel` explains."""
    return run._replace(hardware_class=duel.hardware_class)


def used_twice(duels: Iterable[Duel]) -> dict[str, str]:
    """Duels that share runs with one of more pairs, or an earlier one: ids of both."""
    owner: dict[str, str] = {}
    found: dict[str, str] = {}
    for duel in sorted(duels, key=lambda duel: (-len(duel.pairs), duel.created, duel.id)):
        if taken := [owner[id] for id in duel.records if id in owner]:
            found[duel.id] = taken[0]
        else:
            owner |= dict.fromkeys(duel.records, duel.id)
    return found


def judged(duels: Iterable[Duel], entries: Iterable[Entry]) -> list[JudgedDuel]:
    """Duels between these entries, oldest first."""
    by_run = {run.id: entry for entry in entries for run in entry.runs}
    created = {run.id: run.created for entry in by_run.values() for run in entry.runs}
    found = []
    for duel in duels:
        sides: dict[SideName, Entry] = {
            side: entry for side in SIDES if (entry := _entry_of(duel, side, by_run)) is not None
        }
        if len(sides) == len(SIDES) and duel.counted:
            result = verdict(duel.ln_ratios, duel.planned_pairs, duel.stop)
            finished = max(created.get(id, "") for id in duel.records)
            found.append(JudgedDuel(duel=duel, verdict=result, entries=sides, finished=finished))
    return sorted(found, key=lambda one: (one.finished, one.duel.id))


def _entry_of(duel: Duel, side: SideName, by_run: Mapping[str, Entry]) -> Entry | None:
    """The entry of most of a side's runs: those of several authors lie in several."""
    runs = Counter(getattr(pair, side) for pair in duel.counted)
    ids = Counter(by_run[id].id for id in runs if id in by_run)
    best = min(ids, key=lambda id: (-ids[id], id), default=None)
    return next((by_run[id] for id in runs if id in by_run and by_run[id].id == best), None)


def _itself(duel: Duel) -> Iterator[str]:
    try:
        parse_time(duel.created)
    except ValueError as error:
        yield f"created: {error}"
    texts = {f"the label of {s.upper()}": getattr(duel, s).label for s in SIDES}
    for name, text in texts.items():
        if not is_sanitized(text):
            yield f"{name}, {brief(text)}, holds control characters"
    if not duel.counted:
        yield "none of its pairs counts"
    else:
        try:
            verdict(duel.ln_ratios, duel.planned_pairs, duel.stop)
        except ValueError as error:
            yield str(error)
    if (duel.a.source, duel.a.argv) == (duel.b.source, duel.b.argv):
        yield "both sides are the same"
    if len(set(duel.records)) < len(duel.records):
        yield "a record is used twice"


def _run(duel: Duel, pair: DuelPair, side: SideName, record: Record) -> Iterator[str]:
    """Contradictions between a pair and the record of one of its runs."""
    run, where = summarize(record), f"pair {pair.index}, {side.upper()}"
    claimed = getattr(pair, f"{side}_bits_per_byte")
    if (why := getattr(duel, side).problem(record, run.source)) is not None:
        yield f"{where}: {why}"
    if record.seed != pair.seed:
        yield f"{where}: its seed is {brief(record.seed)}, not {pair.seed}"
    if run.bits_per_byte != claimed:
        yield f"{where}: its score is {run.bits_per_byte!r}, not {claimed!r}"
    if run.budget_s != duel.budget_s:
        yield f"{where}: its budget is {run.budget_s:g} s, not {duel.budget_s:g} s"
    own = record.hardware.hardware_class
    is_old = record.schema_version < _NEW_CLASSES and _kind(own) == _kind(duel.hardware_class)
    if own != duel.hardware_class and not is_old:
        yield f"{where}: its class is {brief(own)}, not {brief(duel.hardware_class)}"


def _kind(hardware_class: str) -> list[str]:
    """`cpu-x86_64`, which every version of the code names alike."""
    return hardware_class.split("-")[:2]


def _disturbance(pair: DuelPair, a: Record, b: Record) -> Iterator[str]:
    """A pair counts exactly if its records say that the host was fit: nobody picks pairs."""
    why = pair.why_disturbed(a, b)
    if why is not None and pair.disturbed is None:
        yield f"pair {pair.index} counts, but {why}"
    if why is None and pair.disturbed is not None:
        yield f"pair {pair.index} is left out as disturbed, which its records do not show"


def _machine(duel: Duel, records: Mapping[str, Record]) -> Iterator[str]:
    """One machine in one sitting: one processor, and dates in the order of the races."""
    machines = {(r.hardware.cpu, r.hardware.accelerator) for r in records.values()}
    if len(machines) > 1:
        yield f"its runs were made on {len(machines)} machines"
    dates = [summarize(records[id]).created for id in duel.records]
    if dates != sorted(dates):
        yield "the dates of its records are not in the order of its races"


def _sides(duel: Duel, runs: Mapping[str, Summary]) -> Iterator[str]:
    """Runs of a side are of one entry, those of both in one track, and none is a copy."""
    keys = {s: {base_key(runs[getattr(p, s)]) for p in duel.pairs} for s in SIDES}
    for side in SIDES:
        if len(keys[side]) > 1:
            yield f"the runs of {side.upper()} have {len(keys[side])} configurations or sources"
        weights = [runs[getattr(pair, side)].weights_sha256 for pair in duel.counted]
        if len(set(weights)) < len(weights):
            yield f"runs of {side.upper()} have the same weights, so they count once"
    tracks = {key[:5] for side in SIDES for key in keys[side]}
    if len(tracks) > 1 or len({run.likelihood for run in runs.values()}) > 1:
        yield "its runs are of different tracks, or exact and bounds"
    elif keys["a"] & keys["b"]:
        yield "both sides are one entry"
