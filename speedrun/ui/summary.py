"""What a finished race shows: the final panel, and the table of several seeds."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from speedrun.records.sanitize import sanitize
from speedrun.records.schema import CLOCK_TITLES, OFF_CLOCK, ON_CLOCK, Clock, Record
from speedrun.records.summary import unranked_because
from speedrun.records.track import Standing
from speedrun.text import format_size
from speedrun.ui.live import sparkline

nan = float("nan")


def finished(console: Console, record: Record, folder: Path, standing: Standing | None) -> None:
    """Print the final panel of one run."""
    body = [_facts(record), Text()]
    if record.sample is not None:
        body += [Text(sanitize(record.sample.text, lines=True), style="italic"), Text()]
    body.append(Text(place(record, standing)))
    title = f"{record.arch} {format_size(record.num_params)}, seed {record.seed}: {record.status}"
    if console.is_terminal:
        group = Group(*body)
        console.print(Panel(group, title=Text(title, style="bold"), width=min(console.width, 100)))
    else:
        console.print(Text(title), *body, sep="\n", soft_wrap=True)
    console.print(Text(f"saved in {folder}"), soft_wrap=True)


def _facts(record: Record) -> Table:
    clock, train, score = record.clock, record.train, record.score
    table = Table.grid(padding=(0, 2))
    rows: list[tuple[str, str]] = []
    if score is not None:
        sign = "≤ " if score.likelihood == "bound" else ""
        rows += [
            ("bits per byte", f"{sign}{score.bits_per_byte:.4f} ± {score.bits_per_byte_se:.4f}"),
            (
                "perplexity",
                f"{sign}{score.perplexity:.2f} ± {score.perplexity_se:.2f}"
                f" (vocabulary {record.tokenizer.vocab}, {score.num_docs:,} documents)",
            ),
        ]
        if score.bits_per_byte_mc_se is not None and score.length_nats is not None:
            lengths = score.length_nats / math.log(2) / score.num_bytes
            rows.append(
                (
                    "bound",
                    f"{score.num_draws} noise draws a document leave"
                    f" ± {score.bits_per_byte_mc_se:.4f}; {lengths:.4f} of it pays for lengths",
                )
            )
    epochs = "" if train.epochs is None else f", {train.epochs:.2f} epochs"
    rows += [
        ("loss", sparkline([nan if nats is None else nats for _, nats in train.loss_curve])),
        ("tokens", f"{train.num_tokens:,} in {train.num_steps:,} steps{epochs}"),
        ("speed", f"{train.tokens_per_s:,.0f} tokens/s"),
        ("data", f"{record.data.name} ({record.data.source})"),
        ("on the clock", _accounts(clock, ON_CLOCK, record.budget_s)),
        ("off the clock", _accounts(clock, OFF_CLOCK, None)),
        ("overshoot", f"{clock.overshoot_s:.2f} s, suspended {clock.suspended_s:.1f} s"),
    ]
    rows += [("event", f"at {event.share:.0%}: {event.what}") for event in train.events]
    for label, value in rows:
        table.add_row(Text(label, style="dim"), Text(value))
    return table


def _accounts(clock: Clock, accounts: Sequence[str], budget_s: float | None) -> str:
    parts = []
    for name in accounts:
        seconds = getattr(clock, name)
        if seconds >= 0.05 or budget_s is not None:
            share = "" if budget_s is None else f" ({seconds / budget_s:.1%})"
            parts.append(f"{CLOCK_TITLES[name]} {seconds:.1f} s{share}")
    return ", ".join(parts)


def place(record: Record, standing: Standing | None) -> str:
    """Where the run stands among earlier ones of its track, in a sentence."""
    if (why := unranked_because(record)) is not None:
        return f"Not ranked: {why}."
    if standing is None or standing.num_runs == 1 or standing.best is None:
        return "The first run of its track here: same data, budget and hardware class."
    assert record.score is not None  # it ranks
    best = standing.best
    gap = record.score.bits_per_byte - best.bits_per_byte
    other = f"{best.arch} {format_size(best.num_params)}, {best.recipe_name}"
    ahead = "better" if gap < 0 else "worse"
    return (
        f"Place {standing.place} of {standing.num_runs} in its track here; {abs(gap):.4f} bits per"
        f" byte {ahead} than the best other run ({other}, seed {best.seed})."
    )


def seeds(console: Console, records: Sequence[Record]) -> None:
    """Print the table of one race under several seeds, with mean and standard deviation."""
    table = Table(title=f"{records[0].arch}, {len(records)} seeds", title_justify="left")
    for column in ("seed", "bits per byte", "perplexity", "tokens/s", "status"):
        table.add_column(column, justify="left" if column == "status" else "right")
    for record in records:
        score = record.score
        table.add_row(
            str(record.seed),
            "-" if score is None else f"{score.bits_per_byte:.4f}",
            "-" if score is None else f"{score.perplexity:.2f}",
            f"{record.train.tokens_per_s:,.0f}",
            record.status,
        )
    table.add_section()
    scored = [r for r in records if r.score is not None]
    table.add_row(
        "mean ± sd",
        spread([r.score.bits_per_byte for r in scored if r.score], 4),
        spread([r.score.perplexity for r in scored if r.score], 2),
        spread([r.train.tokens_per_s for r in records], 0),
        "",
    )
    console.print(table)


def spread(values: Sequence[float], digits: int) -> str:
    """`mean ± sample standard deviation`."""
    if not values:
        return "-"
    sd = f" ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):,.{digits}f}{sd}"
