"""Holding of a duel: pair after pair, until the verdict is there or the host cannot give one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speedrun.duel import process
from speedrun.duel.folder import DuelFolder, Raced
from speedrun.duel.process import Ended
from speedrun.duel.sides import Side
from speedrun.duel.verdict import Verdict, verdict
from speedrun.records.duel import Duel, DuelPair, SideName, first_of, other
from speedrun.records.schema import Record
from speedrun.records.sections import Host
from speedrun.records.summary import config_key, data_id, summarize

RaceRunner = Callable[[Sequence[str], Path | None, Callable[[str], None]], Ended]


@dataclass(frozen=True, kw_only=True)
class State:
    """A duel under way: what is raced now, and the last line of it."""

    duel: Duel
    verdict: Verdict | None  # None before the first counted pair
    racing: SideName
    line: str
    left_s: float | None  # None before the first race has ended


class Watcher(Protocol):
    """View of a duel."""

    def state(self, state: State) -> None:
        """Show how far it is; called several times a second."""
        ...

    def notice(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def paired(self, duel: Duel) -> None:
        """Show the pair that was finished last."""
        ...


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Two sides with the words that both their races take, and where they are raced."""

    sides: dict[SideName, Side]
    data: Sequence[str]  # the options of the data, paths absolute
    folder: DuelFolder
    race: RaceRunner = process.race


def judged(duel: Duel) -> Verdict | None:
    """The verdict so far; None before the first counted pair."""
    ratios = duel.ln_ratios
    return verdict(ratios, duel.planned_pairs, duel.stop) if ratios else None


def is_over(duel: Duel) -> bool:
    """Whether no more pairs are to be raced."""
    found = judged(duel)
    return found is not None and found.decision != "open"


def hold(contest: Contest, duel: Duel, watcher: Watcher) -> Duel:
    """Race the pairs that are left and return the duel. Raises ValueError where that fails.

    The folder's lock is held. A finished pair, and a finished first race of a pair, is kept. The
    duel is left open after as many disturbed pairs in this sitting as it has planned ones.
    """
    num_disturbed = duel.num_disturbed
    while not is_over(duel) and duel.num_disturbed - num_disturbed < duel.planned_pairs:
        index, attempt = len(duel.counted), len(duel.pairs)
        first, seed = first_of(index), duel.seed(attempt)
        records: dict[SideName, Record] = {}
        for side in (first, other(first)):
            records[side] = _race(contest, duel, side, watcher)
        pair = DuelPair(
            index=index,
            seed=seed,
            first=first,
            a=records["a"].id,
            b=records["b"].id,
            a_bits_per_byte=_bits_per_byte(records["a"]),
            b_bits_per_byte=_bits_per_byte(records["b"]),
            disturbed=None,
            a_host=_host(contest.folder, attempt, "a", records["a"]),
            b_host=_host(contest.folder, attempt, "b", records["b"]),
        )
        why = pair.why_disturbed(records["a"], records["b"])
        duel = duel.sealed([*duel.pairs, pair.model_copy(update={"disturbed": why})])
        contest.folder.save(duel)
        watcher.paired(duel)
    return duel


def _race(contest: Contest, duel: Duel, name: SideName, watcher: Watcher) -> Record:
    """The record of a side's race of the current attempt, raced now unless it is there."""
    attempt, folder, side = len(duel.pairs), contest.folder, contest.sides[name]
    for one in folder.races:
        if (one.attempt, one.side) == (attempt, name):
            return folder.records[one.record]
    began_s, seed = time.monotonic(), duel.seed(attempt)
    found = judged(duel)

    def hear(line: str) -> None:
        left_s = _left_s(duel, folder.races, time.monotonic() - began_s)
        watcher.state(State(duel=duel, verdict=found, racing=name, line=line, left_s=left_s))

    out = str(folder.path.resolve())  # a checkout races in a folder of its own
    words = [*side.words, *contest.data, "--seed", str(seed), "--out", out, "--json"]
    folder.refresh()
    ended = contest.race(words, side.folder, hear)
    fresh = [record for record in folder.refresh() if record.seed == seed]
    if len(fresh) != 1 or fresh[0].status != "complete" or fresh[0].score is None:
        status = f"is {fresh[0].status}" if fresh else "failed"
        kept = folder.keep_failure(ended.lines)
        raise ValueError(
            f"{side.letter}'s race with seed {seed} {status}: {ended.error} (its last lines:"
            f" {kept}); finished pairs are kept, and the same command resumes"
        )
    record = fresh[0]
    _check_side(side, record)
    _check_data(contest, name, record)
    wall_s = time.monotonic() - began_s
    raced = Raced(attempt=attempt, side=name, record=record.id, host=ended.host, wall_s=wall_s)
    folder.add(raced)
    return record


def _check_side(side: Side, record: Record) -> None:
    """Raise ValueError for a run that is not of its side."""
    problem = side.duel.problem(record, summarize(record).source)
    if problem is None and side.config_key not in (None, config_key(record)):
        problem = "its settings are not those of the entry"
    if problem is not None:
        raise ValueError(
            f"{side.letter}'s run {record.id[:12]} is none of its side: {problem}; finished pairs"
            " are kept: put the code back and run the same command again"
        )


def _check_data(contest: Contest, name: SideName, record: Record) -> None:
    """Raise ValueError where a run read other data than those before it."""
    sides, now = contest.sides, _data(record)
    is_one_code = sides["a"].folder is None and sides["b"].folder is None
    for one in contest.folder.races:
        was = _data(contest.folder.records[one.record])
        # Another commit may compute another fingerprint of the same documents.
        start = 0 if one.side == name or is_one_code else 2
        if was[start:] != now[start:]:
            raise ValueError(
                f"the data changed between races: {was[0][:12]} was read before, {now[0][:12]} by"
                f" {sides[name].letter}'s run {record.id[:12]}; finished pairs are kept: put the"
                " data back and run the same command again, or start anew with another --out"
            )


def _data(record: Record) -> tuple[str, str, int, int]:
    """Fingerprints of training and held-out documents, and the size of the latter."""
    assert record.score is not None  # checked when it was raced
    data, score = record.data, record.score
    train = data_id(data.train_fingerprint)
    return train, data.heldout_fingerprint, score.num_docs, score.num_bytes


def _host(folder: DuelFolder, attempt: int, side: SideName, record: Record) -> Host | None:
    """Measurements around a race whose record has none of its host."""
    if record.schema_version >= 4:
        return None
    found = (one.host for one in folder.races if (one.attempt, one.side) == (attempt, side))
    return Host.model_validate(next(found))


def _bits_per_byte(record: Record) -> float:
    assert record.score is not None  # checked when it was raced
    return record.score.bits_per_byte


def _left_s(duel: Duel, races: Sequence[Raced], spent_s: float) -> float | None:
    """Seconds until all planned pairs are raced, by the races so far; None before the first."""
    if not races:
        return None
    mean_s = sum(one.wall_s for one in races) / len(races)
    attempt = len(duel.pairs)
    num_started = sum(one.attempt == attempt for one in races)
    num_left = 2 * (duel.planned_pairs - len(duel.counted)) - num_started
    return max(0.0, num_left * mean_s - spent_s)
