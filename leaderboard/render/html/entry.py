"""Values that the page of an entry shows, for its template."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from leaderboard import reproduce
from leaderboard.compare import differences, flat
from leaderboard.standing.boards import Board
from leaderboard.standing.duels import JudgedDuel
from leaderboard.standing.entries import Entry
from speedrun.records import energy
from speedrun.records.schema import Record
from speedrun.records.sections import OFF_CLOCK, ON_CLOCK
from speedrun.text import round_values

MAX_SETTINGS = 400  # of one config
MAX_POINTS = 60  # of one loss curve
_MAX_RUNS = 8  # with a curve and bars of their own
PLOT_WIDTH, PLOT_HEIGHT = 600, 220  # of the loss curves, as entry.html draws them
_MAX_NATS = 1e6  # sums stay finite
Curve = Sequence[tuple[float, float | None]]
Thin = list[tuple[float, float | None]]


Rival = tuple[Entry, Mapping[str, Any]]  # that others were tested against, with its config


def context(entry: Entry, records: Sequence[Record], rival: Rival | None) -> dict[str, Any]:
    """Template variables of an entry; `records` are those of its runs, in order."""
    first, shown = records[0], records[:_MAX_RUNS]
    return {
        "entry": entry,
        "first": first,
        "energy": _energy(entry, records),
        "sections": _sections(first.config),
        "clocks": (clocks := [_clock(record) for record in shown]),
        "bar_s": max(first.budget_s, *(max(c["on_s"], c["off_s"]) for c in clocks)) or 1.0,
        "rival": rival[0] if rival else None,
        "changes": differences(rival[1], first.config)[:MAX_SETTINGS] if rival else [],
        "curve": _plot({f"seed {record.seed}": record.train.loss_curve for record in shown}),
        "engine": list(flat(first.train.engine).items())[:MAX_SETTINGS],
        "records": records,
        "events": [(r.seed, event) for r in records for event in r.train.events[:20]],
        "verifications": sorted(entry.verifications, key=lambda v: (v.verified, v.record)),
        "seeds": {record.id: record.seed for record in records},
        **_reproduction(entry, first),
    }


def on_board(entry: Entry, board: Board, alike: Sequence[Entry]) -> dict[str, Any]:
    """Template variables about an entry's duels and replications; `alike` are of its base."""
    fought = [one for one in board.duels if entry.id in {own.id for own in one.entries.values()}]
    again = [other for other in alike if other.id != entry.id]
    return {"duels": [duel(one) for one in reversed(fought)], "replications": again}


def duel(one: JudgedDuel) -> dict[str, Any]:
    """Template variables of a duel; `reach` is half the width of its axis in ln(B / A)."""
    reach = max((abs(pair.ln_ratio) for pair in one.duel.counted), default=0.0)
    ends = [x for x in (one.verdict.low, one.verdict.high) if math.isfinite(x)]
    reach = max([reach, *map(abs, ends)]) * 1.1 or 1.0
    return {"judged": one, "pairs": one.duel.pairs, "reach": reach, "has_interval": bool(ends)}


def _energy(entry: Entry, records: Sequence[Record]) -> tuple[str, str]:
    """Energy of a training, and power, source and heat in small; empty for records of old."""
    measured = [record.energy for record in records if record.energy is not None]
    if not measured:
        return "", ""
    hottest = max(measured, key=lambda one: one.temperature_max_c or -math.inf)
    if (spent := entry.energy) is None:
        some = any(one.source is not None for one in measured)
        why = "not measured alike in all runs" if some else energy.UNKNOWN
        return why, ", ".join(energy.heat(hottest))
    power = f"{energy.watts(spent.mean_watts)} by {energy.SOURCES[spent.source].partition(':')[0]}"
    return energy.joules(spent.joules), ", ".join([power, *energy.heat(hottest)])


def _clock(record: Record) -> dict[str, Any]:
    """Seconds of a race by account, and the sums on and off the clock."""
    seconds = record.clock.model_dump()
    off_s = sum(seconds[name] for name in OFF_CLOCK)
    on_s = sum(seconds[name] for name in ON_CLOCK)
    return {"seed": record.seed, "seconds": seconds, "on_s": on_s, "off_s": off_s}


def _reproduction(entry: Entry, first: Record) -> dict[str, Any]:
    """Shell lines that race every run of an entry again, or the reason why there are none."""
    try:
        command = reproduce.command(first)
    except ValueError as error:
        return {"script": None, "no_script": str(error), "command": None}
    runs = [(run.commit, run.seed) for run in entry.runs]
    return {"script": command.script(runs), "no_script": "", "command": command}


def _sections(config: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Settings by the first part of their path; those without one are of the race."""
    out: dict[str, list[tuple[str, Any]]] = {}
    for key, value in list(flat(config).items())[:MAX_SETTINGS]:
        section, dot, rest = key.partition(".")
        out.setdefault(section if dot else "race", []).append((rest if dot else key, value))
    return out


def thinned(curves: Sequence[Curve]) -> Thin:
    """Mean (share, nats) of loss curves in `MAX_POINTS` equal parts of the budget.

    Nats are None where a loss was not finite. Curves of a single point are empty: counted models
    end before they have begun.
    """
    points = np.array([*itertools.chain(*curves)], dtype=float).reshape(-1, 2)  # None becomes NaN
    points = np.clip(points, -_MAX_NATS, _MAX_NATS)
    part = np.clip(points[:, 0] * MAX_POINTS, 0, MAX_POINTS - 1).astype(int)
    num = np.bincount(part, minlength=MAX_POINTS)
    sums = [np.bincount(part, of, MAX_POINTS) for of in points.T]
    shares, nats = (np.round(of[num > 0] / num[num > 0], 4).tolist() for of in sums)
    out = [(s, None if math.isnan(n) else n) for s, n in zip(shares, nats, strict=True)]
    return out if sum(n is not None for _, n in out) > 1 else []


def _plot(curves: Mapping[str, Curve]) -> dict[str, Any]:
    """Loss curves with the range of their axis.

    The range leaves out the first twentieth of the budget, in which a loss falls steeply.
    """
    lines = {label: line for label, curve in curves.items() if (line := thinned([curve]))}
    points = [(s, n) for line in lines.values() for s, n in line if n is not None]
    if not points:
        return {}
    settled = [n for s, n in points if s >= 0.05] or [n for _, n in points]
    low, high = min(settled), max(settled)
    pad = 0.06 * (high - low) or 0.5
    low, high = max(0.0, low - pad), high + pad

    def y(nats: float) -> float:
        return PLOT_HEIGHT * (high - nats) / (high - low)

    return {
        "paths": {label: _path(line, y) for label, line in lines.items()},
        "ticks": [(f"{y(tick):.1f}", text) for tick, text in _ticks(low, high)],
    }


def _path(line: Thin, y: Callable[[float], float]) -> str:
    """A curve as the data of an SVG path, with gaps where the loss was not finite."""
    parts, pen = [], "M"
    for share, nats in line:
        if nats is not None:
            parts.append(f"{pen}{PLOT_WIDTH * share:.1f} {max(-999.0, y(nats)):.1f}")
        pen = "M" if nats is None else "L"
    return "".join(parts)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers of an axis with their text, all of as many digits as the finest needs."""
    ticks = round_values(low, high, 5)
    digits = max((len(f"{tick:.6g}".partition(".")[2]) for tick in ticks), default=0)
    return [(tick, f"{tick:.{digits}f}") for tick in ticks]
