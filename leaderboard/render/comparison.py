"""Comparison of two runs or entries in a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.compare import MISSING, differences
from leaderboard.render.columns import p_value, spread
from speedrun.duel.verdict import SIGNIFICANCE
from speedrun.records import energy
from speedrun.records.sanitize import sanitize
from speedrun.records.statistics import Spread
from speedrun.text import format_size

MAX_CELL = 200  # characters
_NUMBERS = (  # title, field, digits
    ("bits per byte", "bits_per_byte", 4),
    ("perplexity", "perplexity", 2),
    ("tokens", "num_tokens", 0),
    ("tokens/s", "tokens_per_s", 0),
)
_TEXTS = (("backend", "backend"), ("hardware", "hardware_class"), ("commit", "commit"))


def show(console: Console, found: dict[str, Any]) -> None:
    """Print the result of `leaderboard.compare.compare`."""
    for caveat in found["caveats"]:
        console.print(Text(sanitize(f"Not comparable: {caveat}"), style="yellow"), soft_wrap=True)
    console.print(_facts(found["a"], found["b"]), "")
    if found["settings"]:
        settings = _table("setting", "A", "B")
        for setting in found["settings"]:
            settings.add_row(*map(_cell, setting))
        console.print(settings, "")
    else:
        console.print("The settings are identical.\n")
    console.print(Text(_verdict(found["score"])), soft_wrap=True)
    if found["curves"] is None:
        console.print(Text(sanitize(f"No curves: {found['no_curves']}.")), soft_wrap=True)
        return
    for line in _equal_lines(found["time_to_equal_loss"], found["joules_to_equal_loss"]):
        console.print(line, soft_wrap=True, highlight=False)
    console.print("", _curves(found["curves"]))


def _table(*titles: str) -> Table:
    return Table(*titles, box=None, pad_edge=False, header_style="dim")


def _cell(value: object) -> Text:
    shown = sanitize(str(value))
    return Text(shown if len(shown) <= MAX_CELL else f"{shown[:MAX_CELL]}…")


def _facts(a: dict[str, Any], b: dict[str, Any]) -> Table:
    table = _table("", "A", "B")
    table.add_row("", *(Text(sanitize(side["label"]), style="bold") for side in (a, b)))
    for title, name, digits in _NUMBERS:
        signs = ["≤ " if side["likelihood"] == "bound" and digits else "" for side in (a, b)]
        values = [spread(Spread(**side[name]), digits) for side in (a, b)]
        table.add_row(title, signs[0] + values[0], signs[1] + values[1])
    if a["energy"] or b["energy"]:
        table.add_row("energy", *(_energy(side["energy"]) for side in (a, b)))
    table.add_row("parameters", *(format_size(side["num_params"]) for side in (a, b)))
    for title, name in _TEXTS:
        table.add_row(title, _cell(a[name]), _cell(b[name]))
    for row in differences(a["versions"], b["versions"]):
        table.add_row(*map(_cell, row))
    return table


def _energy(spent: dict[str, Any] | None) -> str:
    if spent is None:
        return energy.UNKNOWN
    power = energy.watts(spent["mean_watts"])
    return f"{energy.joules(spent['joules'])}, {power} ({spent['source']})"


def _curves(points: list[dict[str, float | None]]) -> Table:
    table = _table("seconds", "A loss", "B loss", "B - A")
    for column in table.columns:
        column.justify = "right"
    for point in points:
        x, y = point["a"], point["b"]
        gap = MISSING if x is None or y is None else f"{y - x:+.3f}"
        shown = (MISSING if nats is None else f"{nats:.3f}" for nats in (x, y))
        table.add_row(_seconds(point["seconds"], points[-1]["seconds"]), *shown, gap)
    return table


def _seconds(value: float | None, last: float | None) -> str:
    """Seconds of a curve, with as many digits as its twenty points need to differ."""
    return MISSING if value is None else f"{value:.{0 if (last or 0) >= 60 else 2}f}"


def _verdict(score: dict[str, Any]) -> str:
    gap, p = score["difference"], score["p_value"]
    lower = "the same" if gap == 0 else f"{abs(gap):.4f} {'lower' if gap < 0 else 'higher'}"
    line = f"B's bits per byte are {lower}"
    if p is None:
        alone = f"standard error over documents alone: {score['documents_se']:.4f}"
        return f"{line}. A significance test needs two seeds on one side ({alone})."
    low, high = score["interval"]
    ratio, low, high = (f"{100 * share:+.2f} %" for share in (score["ratio"], low, high))
    within = f"{ratio}, 95 % interval {low} to {high}"
    verdict = f"{'' if p < SIGNIFICANCE else 'not '}significant: p = {p_value(p)}"
    return f"{line} ({within}), {verdict} ({score['test']})."


def _equal_lines(
    times: dict[str, float | None], joules: dict[str, float | None] | None
) -> list[str]:
    out = []
    for name, other in (("b", "a"), ("a", "b")):
        at, final = times[f"{name}_reached_{other}_final_s"], times[f"{other}_final"]
        never, when = (
            ("never ", "") if at is None else ("", f" after {at:.{0 if at >= 60 else 1}f} s")
        )
        goal = f"{other.upper()}'s final training loss ({final:.3f})"
        if joules and (spent := joules[f"{name}_reached_{other}_final_joules"]) is not None:
            when += f" and {energy.joules(spent)}"
            if (whole := joules[f"{other}_joules"]) is not None:
                when += f", where {other.upper()} took {energy.joules(whole)}"
        out.append(f"{name.upper()} {never}reached {goal}{when}.")
    if joules:
        out.append("Joules to a loss are seconds times the race's mean power.")
    return out
