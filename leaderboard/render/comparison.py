"""A comparison of two runs or entries, in a terminal."""

import itertools
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.render.columns import p_value, spread
from speedrun.records.sanitize import sanitize
from speedrun.records.statistics import SIGNIFICANCE, Spread
from speedrun.text import format_size

_MISSING = "-"
MAX_CELL = 200  # characters; a setting may be anything


def show(console: Console, found: dict[str, Any]) -> None:
    """Print what `leaderboard.compare.compared` found."""
    for caveat in found["caveats"]:
        console.print(Text(sanitize(f"careful: {caveat}"), style="yellow"), soft_wrap=True)
    console.print(_facts_table(found))
    console.print()
    if found["settings"]:
        table = Table("setting", "A", "B", box=None, pad_edge=False, header_style="dim")
        for key, x, y in found["settings"]:
            table.add_row(*(Text(_cell(value)) for value in (key, x, y)))
        console.print(table)
    else:
        console.print("Their settings are the same.")
    console.print()
    console.print(Text(_verdict(found["score"])), soft_wrap=True)
    if found["curves"] is None:
        console.print(Text(sanitize(f"No curves: {found['no_curves']}.")), soft_wrap=True)
        return
    for line in _equal_lines(found["time_to_equal_loss"]):
        console.print(Text(line), soft_wrap=True)
    console.print()
    table = Table(
        "seconds", "A loss", "B loss", "B - A", box=None, pad_edge=False, header_style="dim"
    )
    for column in table.columns:
        column.justify = "right"
    for point in found["curves"]:
        x, y = point["a"], point["b"]
        gap = _MISSING if x is None or y is None else f"{y - x:+.3f}"
        shown = (_MISSING if nats is None else f"{nats:.3f}" for nats in (x, y))
        table.add_row(f"{point['seconds']:.0f}", *shown, gap)
    console.print(table)


def _cell(value: object) -> str:
    shown = sanitize(str(value))
    return shown if len(shown) <= MAX_CELL else f"{shown[:MAX_CELL]}…"


def _facts_table(found: dict[str, Any]) -> Table:
    table = Table("", "A", "B", box=None, pad_edge=False, header_style="dim")
    a, b = found["a"], found["b"]
    numbers = (
        ("bits per byte", "bits_per_byte", 4),
        ("perplexity", "perplexity", 2),
        ("tokens", "num_tokens", 0),
        ("tokens/s", "tokens_per_s", 0),
    )
    table.add_row("", *(Text(sanitize(side["label"]), style="bold") for side in (a, b)))
    for title, name, digits in numbers:
        signs = ["≤ " if s["likelihood"] == "bound" and digits else "" for s in (a, b)]
        cells = [
            sign + spread(Spread(**s[name]), digits) for s, sign in zip((a, b), signs, strict=True)
        ]
        table.add_row(title, *cells)
    table.add_row("parameters", *(format_size(side["num_params"]) for side in (a, b)))
    for title, name in (
        ("backend", "backend"),
        ("hardware", "hardware_class"),
        ("commit", "commit"),
    ):
        table.add_row(title, *(Text(_cell(side[name])) for side in (a, b)))
    for name in dict.fromkeys(itertools.chain(a["versions"], b["versions"])):
        x, y = (side["versions"].get(name, _MISSING) for side in (a, b))
        if x != y:
            table.add_row(*(Text(_cell(value)) for value in (name, x, y)))
    return table


def _verdict(score: dict[str, Any]) -> str:
    gap = score["difference"]
    lower = "the same" if gap == 0 else f"{abs(gap):.4f} {'lower' if gap < 0 else 'higher'}"
    line = f"B's bits per byte are {lower}"
    if score["p_value"] is None:
        return (
            f"{line}. Whether that is more than the noise of seeds cannot be said: it takes two"
            f" seeds on each side (documents alone: ± {score['documents_se']:.4f})."
        )
    low, high = score["interval"]
    sure = "more than noise explains" if score["p_value"] < SIGNIFICANCE else "within noise"
    return (
        f"{line} (95 % interval {low:+.4f} to {high:+.4f}), {sure}: Welch, two-sided,"
        f" p = {p_value(score['p_value'])}."
    )


def _equal_lines(times: dict[str, float | None]) -> list[str]:
    out = []
    for name, other in (("b", "a"), ("a", "b")):
        at, final = times[f"{name}_reached_{other}_final_s"], times[f"{other}_final"]
        never, when = ("never ", "") if at is None else ("", f" after {at:.0f} s")
        who, whose = name.upper(), other.upper()
        out.append(f"{who} {never}reached {whose}'s final training loss ({final:.3f}){when}.")
    return out
