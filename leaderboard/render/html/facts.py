"""What the page of an entry says, as plain values for its template."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from leaderboard import reproduce
from leaderboard.rank import Entry
from leaderboard.render.html import curves
from speedrun.records.schema import BESIDE_CLOCK, CLOCK_TITLES, OFF_CLOCK, ON_CLOCK, Clock, Record

MAX_SETTINGS = 400  # shown of one config
_LONGEST = 300  # characters of one value
_MAX_BARS = 8  # runs with a bar of their own


class Setting(NamedTuple):
    """One value of a config, by its dotted path."""

    key: str
    value: str


class Change(NamedTuple):
    """A setting that differs between two configs; None where it is missing."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Known:
    """What stays of an entry that others are compared with."""

    entry: Entry
    config: Mapping[str, Any]


def of(entry: Entry, records: Sequence[Record], rival: Known | None) -> dict[str, Any]:
    """Everything the template shows; `records` are those of the entry's rows, in order."""
    first = records[0]
    settings = flat(first.config)
    return {
        "first": first,
        "runs": list(zip(entry.runs, records, strict=True)),
        "sections": sections(settings),
        "num_hidden_settings": max(0, len(settings) - MAX_SETTINGS),
        "clocks": clocks(records[:_MAX_BARS]),
        "on_clock": titled(ON_CLOCK),
        "off_clock": titled(OFF_CLOCK),
        "beside_clock": titled(BESIDE_CLOCK),
        "rival": rival.entry if rival else None,
        "changes": changes(rival.config, first.config) if rival else [],
        "curve": curves.drawing(
            [(f"seed {record.seed}", record.train.loss_curve) for record in records[:_MAX_BARS]],
            600,
            220,
        ),
        "engine": flat(first.train.engine)[:MAX_SETTINGS],
        "events": [(r.seed, event) for r in records for event in r.train.events[:20]],
        "verifications": sorted(entry.verifications, key=lambda v: (v.verified, v.record)),
        "seeds": {record.id: record.seed for record in records},
        **how_to_reproduce(entry, first),
    }


def how_to_reproduce(entry: Entry, first: Record) -> dict[str, Any]:
    """The shell lines for every run of an entry, or why there are none."""
    try:
        command = reproduce.command(first)
    except ValueError as error:
        return {"script": None, "no_script": str(error), "command": None}
    runs = [(row.commit, row.seed) for row in entry.runs]
    return {"script": command.script(runs), "no_script": "", "command": command}


def flat(config: Mapping[str, Any], prefix: str = "", depth: int = 0) -> list[Setting]:
    """Nested values by their dotted path; what nests too deeply is shown as JSON."""
    out: list[Setting] = []
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth < 4:
            out += flat(value, f"{path}.", depth + 1)
        else:
            out.append(Setting(_cut(path), _cut(shown(value))))
    return out


def shown(value: Any) -> str:
    """A value of a config as JSON, text without its quotes."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nests too deeply to be shown)"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def sections(settings: Sequence[Setting]) -> dict[str, list[Setting]]:
    """Settings by the first part of their path; those without one stand under `race`."""
    out: dict[str, list[Setting]] = {}
    for key, value in settings[:MAX_SETTINGS]:
        section, dot, rest = key.partition(".")
        out.setdefault(section if dot else "race", []).append(Setting(rest if dot else key, value))
    return out


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between two configs but for their seeds."""
    old, new = dict(flat(before)), dict(flat(after))
    keys = [*new, *(key for key in old if key not in new)]
    found = [Change(k, old.get(k), new.get(k)) for k in keys if old.get(k) != new.get(k)]
    return [change for change in found if change.key != "seed"][:MAX_SETTINGS]


def clocks(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Each race's accounts in two bars, on the clock and off it, all of them to one scale."""
    spent = [(_sum(r.clock, ON_CLOCK), _sum(r.clock, OFF_CLOCK)) for r in records]
    whole_s = max([records[0].budget_s, *(max(pair) for pair in spent)]) or 1.0
    return [
        {
            "seed": record.seed,
            "on": _bar(record.clock, ON_CLOCK, whole_s),
            "off": _bar(record.clock, OFF_CLOCK, whole_s),
            "on_s": on_s,
            "off_s": off_s,
            "all": record.clock,
        }
        for record, (on_s, off_s) in zip(records, spent, strict=True)
    ]


def titled(accounts: Sequence[str]) -> list[tuple[str, str]]:
    """(account, title) of each."""
    return [(name, CLOCK_TITLES[name]) for name in accounts]


def _sum(clock: Clock, accounts: Sequence[str]) -> float:
    return sum(getattr(clock, name) for name in accounts)


def _bar(
    clock: Clock, accounts: Sequence[str], whole_s: float
) -> list[tuple[str, str, float, float, float]]:
    """(account, title, seconds, start, width) of each, the last two in percent of the bar."""
    seconds = [getattr(clock, name) for name in accounts]
    out, start = [], 0.0
    for name, value in zip(accounts, seconds, strict=True):
        width = 100 * value / whole_s
        out.append((name, CLOCK_TITLES[name], value, start, width))
        start += width
    return out
