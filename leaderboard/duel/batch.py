"""Many ideas, one after another, each in a duel against what was kept so far: `duel --batch FILE`.

A line of the file is one idea in JSON: `{"name": "a higher rate", "set": {"recipe.lr": 0.02}}`;
"why", "params", "tables" and "arch" may stand beside them. A is what the options say; an idea that
wins becomes part of it. The ledger beside the duels has a line for each idea that was decided, and
the same command goes on after it.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.text import Text

from leaderboard.duel.options import DuelOptions
from speedrun.config import settings_of
from speedrun.records.sanitize import sanitize
from speedrun.records.strict_json import first_error, strict_json
from speedrun.system.files import write_atomic
from speedrun.text import counted

Decide = Callable[[DuelOptions, Console], Any]  # holds a duel: `command.held`


class Idea(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    why: str = ""
    set: dict[str, str | int | float | bool] = {}
    params: str | None = None
    tables: str | None = None
    arch: str | None = None


def run(file: Path, options: DuelOptions, console: Console, decide: Decide) -> tuple[Path, bool]:
    """Decide all ideas that the ledger lacks; returns the ledger, and whether all are decided.

    Wrong lines are named, the others go on; then it raises ValueError.
    """
    if options.set_b or {options.b, options.params_b, options.tables_b, options.arch_b} - {None}:
        raise ValueError("--batch: its ideas make B; set both sides with --set, --params, --tables")
    ideas, problems = _read(file)
    _say(console, problems)  # now: a batch can take a night
    ledger = options.out / "duels" / f"{file.stem}.jsonl"
    rows, of = _rows(ledger), _content(options)
    if others := [row for row in rows if row.get("options") != of]:
        changed = _changed(others[0].get("options") or {}, of)
        raise ValueError(
            f"--batch {file}: the ideas in {ledger} were decided with other options ({changed});"
            " give another --out, or move the ledger away"
        )
    side_a, num_open = options, 0
    for number, idea in ideas:
        row = next((row for row in rows if row["idea"] == idea.model_dump()), None)
        if row is None:
            _say(console, [f"idea {number}: {idea.name}"])
            try:
                ended = decide(_beside(side_a, idea), console)
            except (ValueError, LookupError) as error:
                problems.append(f"{file}, line {number}: {error}")
                _say(console, problems[-1:])
                continue
            if ended.result["decision"] == "open":  # said above: a quieter machine goes on
                num_open += 1
                continue
            rows.append(row := _row(idea, ended, of))
            write_atomic(ledger, "".join(json.dumps(row) + "\n" for row in rows))
            write_atomic(ledger.with_suffix(".svg"), _plot(rows))
        if row["kept"]:
            side_a = _kept(side_a, idea)
    left = [f"{counted(num_open, 'idea')} still open: the same command goes on"] if num_open else []
    _say(console, [*_summary(rows, ledger), *left])
    if problems:
        lines = counted(len(problems), "line")
        raise ValueError(f"--batch {file}: {lines} left out, see above")
    return ledger, not num_open


def _say(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(Text(sanitize(line)), soft_wrap=True)


def _read(file: Path) -> tuple[list[tuple[int, Idea]], list[str]]:
    """Ideas with the numbers of their lines, and what is wrong with the other lines."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"--batch {file}: cannot be read ({why})") from None
    ideas: list[tuple[int, Idea]] = []
    problems = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            ideas.append((number, Idea.model_validate(strict_json(line.encode()))))
        except ValueError as error:
            why = first_error(error) if isinstance(error, ValidationError) else error
            problems.append(f"{file}, line {number}: {why}")
    if not ideas:
        detail = f" ({problems[0]})" if problems else ""
        raise ValueError(f'--batch {file}: no idea in it{detail}; a line is {{"name": …}}')
    return ideas, problems


def _rows(ledger: Path) -> list[dict[str, Any]]:
    if not ledger.exists():
        return []
    try:
        return [strict_json(line) for line in ledger.read_bytes().splitlines()]
    except ValueError as error:
        raise ValueError(f"{ledger}: not the ledger of a batch ({error}); move it away") from None


def _content(options: DuelOptions) -> dict[str, Any]:
    """The options that decide how an idea is raced, where they are not the defaults."""
    given = dataclasses.asdict(dataclasses.replace(options, data=options.data_path()))
    defaults = dataclasses.asdict(DuelOptions())
    apart = ("batch", "out", "json_")
    own = {name: v for name, v in given.items() if name not in apart and v != defaults[name]}
    return json.loads(json.dumps(own))


def _changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"--{name.strip('_').replace('_', '-')}" for name in names)


def _beside(a: DuelOptions, idea: Idea) -> DuelOptions:
    """A duel of A against A with the idea."""
    changed = {
        f"{name}_b": value
        for name in ("params", "tables", "arch")
        if (value := getattr(idea, name) or getattr(a, f"{name}_b")) is not None
    }
    return dataclasses.replace(a, set_b=(*a.set_b, *settings_of(idea.set)), **changed)


def _kept(a: DuelOptions, idea: Idea) -> DuelOptions:
    """The options with an idea in both sides."""
    both = _beside(a, idea)
    same = {f"{name}_a": getattr(both, f"{name}_b") for name in ("set", "params", "tables", "arch")}
    return dataclasses.replace(both, **same)


def _row(idea: Idea, ended: Any, of: dict[str, Any]) -> dict[str, Any]:
    result, verdict = ended.result, ended.result["verdict"] or {}
    kept = result["decision"] == "b"
    return {
        "idea": idea.model_dump(),
        "kept": kept,
        "reason": result["sentence"],
        "ln_ratio": verdict.get("mean"),
        "interval": [verdict.get("low"), verdict.get("high")],
        "p_value": verdict.get("p_value"),
        "num_pairs": result["num_pairs"],
        "bits_per_byte": {side: result[side]["bits_per_byte"] for side in ("a", "b")},
        "folder": str(ended.folder.path),
        "options": of,
    }


def _summary(rows: Sequence[dict[str, Any]], ledger: Path) -> list[str]:
    lines = [
        f"{'kept     ' if row['kept'] else 'discarded'}  {row['idea']['name']}: {row['reason']}"
        for row in rows
    ]
    kept_in = f"ledger: {ledger}, picture: {ledger.with_suffix('.svg')}"
    return [*lines, kept_in if rows else "no idea was decided"]


def _plot(rows: Sequence[dict[str, Any]]) -> bytes:
    """The best score over the ideas, as SVG: kept ones filled, others hollow."""
    import io

    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    scores = [(n, row["bits_per_byte"], row["kept"]) for n, row in enumerate(rows, 1)]
    known = [(n, score, kept) for n, score, kept in scores if None not in score.values()]
    for kept, fill, label in ((True, "full", "kept"), (False, "none", "discarded")):
        points = [(n, score["b"]) for n, score, is_kept in known if is_kept == kept]
        if points:
            axes.plot(*zip(*points, strict=True), "o", fillstyle=fill, color="C0", label=label)
    best = [score["b" if kept else "a"] for _, score, kept in known]
    if best:
        axes.step([n for n, *_ in known], best, where="post", color="C1", label="best so far")
        axes.legend(frameon=False)
    axes.set_xlabel("idea")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("held-out bits per byte")
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "batch", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
