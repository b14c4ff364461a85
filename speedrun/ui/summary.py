"""Summary of a finished race: the final panel, and the table of several seeds."""

import math
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from speedrun.records import energy, host
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.records.sections import BESIDE_CLOCK, CLOCK_TITLES, OFF_CLOCK, ON_CLOCK, Score
from speedrun.text import counted, format_size
from speedrun.ui import places
from speedrun.ui.chart import Line, Size, chart, sparkline
from speedrun.ui.live import grid
from speedrun.ui.panel import OWN
from speedrun.ui.places import Places
from speedrun.ui.screen import MAX_WIDTH, Row, Rows

_SHOWN_FROM_S = 0.05  # a shorter account is not shown
_LABEL_WIDTH = 15
_CHART_ROWS, _STORY_ROWS = 8, 5


def finished(console: Console, record: Record, folder: Path, found: Places | None = None) -> None:
    """Print the summary of one run: score, place, next step, loss, facts, and a story."""
    found = places.find(record, folder.parent) if found is None else found
    title = f"{record.arch} {format_size(record.num_params)}, seed {record.seed}: {record.status}"
    standing = places.lines(record, found, folder)
    step = f"Next: {places.next_step(record, found, folder)}"
    rows = list(_rows(record))
    if console.is_terminal:
        width = min(console.width, MAX_WIDTH)
        body = Group(
            *(Text(line, style="bold green") for line in _score(record)),
            *(Text(sanitize(line)) for line in standing),
            Text(sanitize(step), style="bold"),
            Text(),
            Rows(_loss(record, width - 4, console.options.ascii_only)),
            Text(),
            grid(*rows),
            *_story(record, width - 4),
        )
        console.print(Panel(body, title=Text(sanitize(title), style="bold"), width=width))
    else:
        curve = [math.nan if nats is None else nats for _, nats in record.train.loss_curve]
        facts = [("loss", sparkline(curve)), *rows]
        text = [] if record.sample is None else ["", sanitize(record.sample.text, lines=True), ""]
        plain = (f"{label:<{_LABEL_WIDTH}}{value}" for label, value in facts)
        _plain(console, title, *_score(record), *standing, step, "", *plain, *text)
    _plain(console, f"saved in {folder}")


def _loss(record: Record, width: int, is_ascii: bool) -> list[Row]:
    """The loss curve with its axes."""
    size = Size(width=width, height=_CHART_ROWS, is_ascii=is_ascii)
    title = [("training loss, nats/token, over the budget", "dim")]
    return [title, *chart([Line(curve=record.train.loss_curve, style=OWN)], record.budget_s, size)]


def _story(record: Record, width: int) -> list[Text]:
    """The beginning of the sample; the whole of it is in a file."""
    if record.sample is None:
        return []
    text = " ".join(sanitize(record.sample.text, lines=True).split())
    return [Text(), Text(textwrap.shorten(text, _STORY_ROWS * width, placeholder=" …"))]


def _plain(console: Console, *lines: str) -> None:
    console.print(Text(sanitize("\n".join(lines), lines=True)), soft_wrap=True)


def _sign(score: Score) -> str:
    return "≤ " if score.likelihood == "bound" else ""


def _score(record: Record) -> list[str]:
    if (score := record.score) is None:
        return []
    value = f"{_sign(score)}{score.bits_per_byte:.4f} ± {score.bits_per_byte_se:.4f}"
    return [f"{'bits per byte':<{_LABEL_WIDTH}}{value}"]


def _rows(record: Record) -> Iterable[tuple[str, str]]:
    train, score = record.train, record.score
    if score is not None:
        yield (
            "perplexity",
            f"{_sign(score)}{score.perplexity:.2f} ± {score.perplexity_se:.2f}"
            f" (vocabulary {record.tokenizer.vocab}, {score.num_docs:,} documents)",
        )
        if score.bits_per_byte_mc_se is not None and score.length_nats is not None:
            lengths = score.length_nats / math.log(2) / score.num_bytes
            yield (
                "bound",
                f"{score.num_draws} noise draws a document leave"
                f" ± {score.bits_per_byte_mc_se:.4f}; {lengths:.4f} of it pays for lengths",
            )
    epochs = "" if train.epochs is None else f", {train.epochs:.2f} epochs"
    yield "tokens", f"{train.num_tokens:,} in {counted(train.num_steps, 'step')}{epochs}"
    yield "speed", f"{train.tokens_per_s:,.0f} tokens/s"
    yield "data", f"{record.data.name} ({record.data.source})"
    if record.source is not None and record.source.is_outside:
        yield "code", f"outside the project, digest {record.source.architecture[:12]}"
    yield from _accounts(record)
    yield from (("flagged", flag) for flag in host.flags(record))
    if record.host is not None:
        yield "host", host.describe(record.host)
    if record.energy is not None:
        if spent := energy.describe(record.energy):
            yield "energy", spent
        if heat := energy.heat(record.energy):
            yield "heat", ", ".join(heat)
    if (unfit := host.unfit_because(record)) is not None:
        yield "not a record", unfit
    yield from (("event", f"at {event.share:.0%}: {event.what}") for event in train.events)


def _accounts(record: Record) -> Iterable[tuple[str, str]]:
    """Accounts of the clock; those of what should not happen only where it did."""
    seconds = record.clock.model_dump()
    spent = {name: f"{title} {seconds[name]:.1f} s" for name, title in CLOCK_TITLES.items()}
    charged = (f"{spent[name]} ({seconds[name] / record.budget_s:.1%})" for name in ON_CLOCK)
    yield "on the clock", ", ".join(charged)
    for label, names in (("off the clock", OFF_CLOCK), ("exceptional", BESIDE_CLOCK)):
        if long := [spent[name] for name in names if seconds[name] >= _SHOWN_FROM_S]:
            yield label, ", ".join(long)


def seeds(console: Console, records: Sequence[Record]) -> None:
    """Print one race under several seeds: a row for each, mean and standard deviation."""
    title = f"{records[0].arch}, {len(records)} seeds"
    columns = ("seed", "bits per byte", "perplexity", "tokens/s", "status")
    rows = [(str(record.seed), *_means([record]), record.status) for record in records]
    mean = ("mean ± sd", *_means(records), "")
    if not console.is_terminal:
        _plain(console, title, *("  ".join(row).rstrip() for row in (columns, *rows, mean)))
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == "status" else "right")
    for row in rows:
        table.add_row(*row)
    table.add_section()
    table.add_row(*mean)
    console.print(table)


def _means(records: Sequence[Record]) -> tuple[str, str, str]:
    scores = [record.score for record in records if record.score is not None]
    return (
        spread([score.bits_per_byte for score in scores], 4),
        spread([score.perplexity for score in scores], 2),
        spread([record.train.tokens_per_s for record in records], 0),
    )


def spread(values: Sequence[float], digits: int) -> str:
    """`mean ± sample standard deviation`; `-` for no values."""
    if not values:
        return "-"
    sd = f" ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):,.{digits}f}{sd}"
