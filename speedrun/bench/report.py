"""A bench in the terminal, and as JSON."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from speedrun.bench.compare import FASTER, SLOWER, Comparison
from speedrun.bench.result import KINDS, Bench, Kind, Row
from speedrun.records.sanitize import sanitize
from speedrun.text import duration, format_size, rate, size

_BAR = 30  # characters
_STYLES = {FASTER: "green", SLOWER: "red"}
_FOOTNOTE = (
    "tokens/s, medians; the interval covers the repeats of these two benches only: run both again,"
    " in turn, before believing a small change"
)


def as_json(bench: Bench, comparison: Comparison | None) -> str:
    """The measurements, what follows from them, and the comparison if there is one."""
    content = bench.model_dump(mode="json", by_alias=True)
    content["busy"] = bench.busy_reasons()
    content["summary"] = [_summary(row) for row in bench.rows]
    if comparison is not None:
        content["comparison"] = asdict(comparison)
    return json.dumps(content, indent=1, allow_nan=False)


def _summary(row: Row) -> dict[str, Any]:
    """Medians, spreads and shares of a case."""
    found: dict[str, Any] = {"variant": row.name}
    for kind in KINDS:
        found[f"{kind}_tokens_per_s"] = row.median(kind)
        found[f"{kind}_spread"] = row.spread(kind)
    found["score_over_train"] = row.median("score") / row.median("train")
    found["share_6n"], found["share_exact"] = row.shares()
    return found


def show(console: Console, bench: Bench, comparison: Comparison | None) -> None:
    """Print machine, rates, profiles, failures and the comparison."""

    def say(text: str, style: str) -> None:
        console.print(Text(sanitize(text), style=style), soft_wrap=True)

    say(f"{bench.cpu}, {bench.cores} cores; data {bench.data.name}", "")
    for device, row in {row.device: row for row in reversed(bench.rows)}.items():
        known = row.matmul_gflops.model_dump()
        products = ", ".join(f"{rate(v * 1e9)} {name}" for name, v in known.items() if v)
        say(f"{device} ({row.hardware_class}): matrix products {products}", "dim")
    reasons, repeats = bench.busy_reasons(), bench.settings.repeats
    console.print(_rates(bench, is_busy=bool(reasons)))
    if reasons:
        say("The machine was busy; these are ranges, not its speed:", "yellow")
        for reason in reasons:
            say(f"  {reason}", "yellow")
    else:
        is_fewer = any(len(row.samples(kind)) < repeats for row in bench.rows for kind in KINDS)
        more = "; fewer of what is slow" if is_fewer else ""
        say(f"median ± half the range of {repeats} repeats, cases in turn{more}", "dim")
    for row in bench.rows:
        if row.profile is not None:
            console.print(_profile(row, row.profile.parts_s))
            if row.profile.note:
                say(row.profile.note, "dim")
    for failure in bench.failed:
        say(f"{failure.variant} failed: {failure.error}", "red")
    if comparison is not None:
        console.print(Text("\nAgainst the saved bench", style="bold"))
        for note in comparison.notes:
            say(f"  {note}", "yellow")
        console.print(_changes(comparison))
        console.print(Text(_FOOTNOTE, style="dim"))


def _table(columns: str, *headers: str, **options: Any) -> Table:
    """A table without lines; `columns` has an l or an r for each."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, **options)
    for column, header in zip(columns, headers or columns, strict=True):
        table.add_column(header, justify="right" if column == "r" else "left")
    return table


def _rates(bench: Bench, *, is_busy: bool) -> Table:
    story_tokens = bench.settings.story_tokens
    headers = ("", "training", "of limit", "scoring", "per", "story", "peak")
    units = ("tokens/s", "6·N, exact", "tokens/s", "train", f"{story_tokens} tokens", "memory")
    table = _table("lrrrrrr", *headers)
    table.add_row("", *units, style="dim")
    for row in bench.rows:
        table.add_row(
            Text(row.name),
            _rate(row, "train", is_busy=is_busy),
            ", ".join("-" if share is None else f"{share:.0%}" for share in row.shares()),
            _rate(row, "score", is_busy=is_busy),
            f"x{row.median('score') / row.median('train'):.1f}",
            duration(story_tokens / row.median("sample")),
            size(float(row.peak_bytes)),
        )
    return table


def _rate(row: Row, kind: Kind, *, is_busy: bool) -> str:
    """Median and half the range; of a busy machine the range alone, which claims less."""
    samples = row.samples(kind)
    if is_busy and len(samples) > 1:
        return f"{format_size(min(samples))}-{format_size(max(samples))}"
    spread = f" ±{row.spread(kind):.0%}" if len(samples) > 1 else ""
    return f"{format_size(row.median(kind))}{spread}"


def _profile(row: Row, parts_s: dict[str, float]) -> Table:
    """The parts of a step; they add up to its last line."""
    title = Text(f"\na training step of {row.name}", style="bold")
    table = _table("lrrl", title=title, title_justify="left", show_header=False)
    step_s, usual_s = sum(parts_s.values()), row.batch_rows * row.context / row.median("train")
    for part, part_s in sorted(parts_s.items(), key=lambda item: -item[1]):
        share = part_s / step_s if step_s else 0.0
        bar = "█" * round(_BAR * share)
        table.add_row(Text(f"  {sanitize(part)}"), f"{part_s * 1e3:.2f} ms", f"{share:.1%}", bar)
    usual = f"not profiled {usual_s * 1e3:.2f} ms"
    table.add_row("  sum", f"{step_s * 1e3:.2f} ms", "100%", usual, style="bold")
    return table


def _changes(comparison: Comparison) -> Table:
    table = _table("llrrrll", "", "", "before", "now", "ratio", "95 % interval", "verdict")
    for change in comparison.changes:
        table.add_row(
            Text(change.variant),
            KINDS[change.kind],
            f"{change.before:,.0f}",
            f"{change.now:,.0f}",
            f"{change.ratio:.3f}",
            "-" if change.low is None else f"{change.low:.3f} to {change.high:.3f}",
            Text(
                f"{change.verdict} ({change.why})" if change.why else change.verdict,
                style=_STYLES.get(change.verdict, ""),
            ),
        )
    return table
