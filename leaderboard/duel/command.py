"""The command `duel`: what it does in which order, what it prints, its exit codes."""

import dataclasses
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from leaderboard.duel import batch, standing
from leaderboard.duel.options import DuelOptions
from leaderboard.duel.sides import asked
from leaderboard.store import Store, open_store
from speedrun.duel import report
from speedrun.duel.folder import DuelFolder
from speedrun.duel.hold import Contest, Watcher, hold, is_over, judged
from speedrun.duel.live import so_far, view
from speedrun.duel.sides import Asked, check, on_this_machine, opened
from speedrun.duel.verdict import MIN_PAIRS, RECORD_PAIRS
from speedrun.records.duel import Duel
from speedrun.records.sanitize import sanitize

_DEFAULTS = DuelOptions()
MAX_PAIRS = 100


def duel(options: DuelOptions = _DEFAULTS) -> None:
    """Race two sides in turn until it is clear whether one is better: see `speedrun.cli.app`."""
    console = Console(stderr=options.json_)
    if options.batch is not None:
        _check_pairs(options)
        alone = dataclasses.replace(options, batch=None)
        ledger, is_whole = batch.run(options.batch, alone, console, held)
        if options.json_ and ledger.exists():
            print(ledger.read_text(encoding="utf-8"), end="", flush=True)
        if not is_whole:
            sys.exit(1)
        return
    ended = held(options, console)
    if options.json_:
        print(json.dumps(ended.result), flush=True)
    if not is_over(ended.duel):
        sys.exit(1)


@dataclass(frozen=True)
class Held:
    """A duel with the pairs that could be raced, its folder, and what `--json` prints."""

    duel: Duel
    folder: DuelFolder
    result: dict[str, Any]


def held(options: DuelOptions, console: Console) -> Held:
    """Race what is left of a duel and print how it ended; raises ValueError or LookupError."""
    _check_pairs(options)
    if options.standing and options.a is not None:
        raise ValueError(f"--a {options.a}: --standing takes the record holder as A")
    with view(console) as watcher:
        watcher.phase("looking up both sides")
        a, b = _asked(options, open_store(None), watcher)
        check(a, b)
        a, b, machine = on_this_machine(a, b)
        finished, folder = _held(options, (a, b), machine, watcher)
    for line in [*report.lines(finished, folder.records), *_closing(finished, folder, options)]:
        console.print(Text(sanitize(line)), soft_wrap=True)
    return Held(finished, folder, report.result(finished, folder.records))


def _check_pairs(options: DuelOptions) -> None:
    if not MIN_PAIRS <= options.pairs <= MAX_PAIRS:
        raise ValueError(f"--pairs {options.pairs}: allowed are {MIN_PAIRS} to {MAX_PAIRS}")


def _asked(options: DuelOptions, store: Store, watcher: Watcher) -> list[Asked]:
    given, shared = options.sides(), options.shared()
    if options.standing:
        given[0] = standing.holder(given[0], shared, store, watcher.notice)
    return asked(given, shared, store)


def _held(
    options: DuelOptions, sides: tuple[Asked, Asked], machine: str, watcher: Watcher
) -> tuple[Duel, DuelFolder]:
    """The duel with all its pairs, raced now as far as they are missing."""
    with opened(*sides) as (side_a, side_b):
        planned = Duel(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            hardware_class=machine,
            a=side_a.duel,
            b=side_b.duel,
            budget_s=sides[0].request.budget_s,
            planned_pairs=options.pairs,
            stop=options.stop,
            pairs=[],
        )
        folder = DuelFolder(options.out / "duels" / _name(planned, options))
        contest = Contest(
            sides={"a": side_a, "b": side_b}, data=options.data_words(), folder=folder
        )
        with folder.locked():
            so_far_held = folder.load() or planned.sealed()
            if folder.races:
                known = "it is finished" if is_over(so_far_held) else "resumed"
                watcher.notice(f"{folder.path}: {known}, {so_far(so_far_held, None)}")
            finished = hold(contest, so_far_held, watcher)
            result = report.result(finished, folder.records)
            folder.write(report.RESULT, json.dumps(result, indent=1) + "\n")
            folder.write(report.SUMMARY, report.markdown(finished, folder.records))
    return finished, folder


def _name(planned: Duel, options: DuelOptions) -> str:
    """Name of a duel's folder: the same for the same command with the same code."""
    fixed = planned.content()
    del fixed["created"], fixed["id"]
    text = json.dumps([fixed, options.data_words()], sort_keys=True)
    labels = (
        re.sub(r"[^a-z0-9.=]+", "-", s.label.lower()).strip("-") for s in (planned.a, planned.b)
    )
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{'-vs-'.join(label[:40] for label in labels)}-{digest}"


def _closing(finished: Duel, folder: DuelFolder, options: DuelOptions) -> list[str]:
    """Lines that say where the duel is, and how it comes to the board."""
    out = [f"saved in {folder.path}: {report.SUMMARY}, {report.RESULT}, duel.json and all runs"]
    found = judged(finished)
    if found is not None and found.decision in ("a", "b"):
        is_record = options.standing and found.decision == "b"
        makes = "makes the record" if is_record else "adds it to the board"
        few = len(finished.counted) < RECORD_PAIRS
        note = f"; a record takes {RECORD_PAIRS} pairs" if few else ""
        out.append(f"python run.py submit {folder.path} {makes}{note}")
    return out
