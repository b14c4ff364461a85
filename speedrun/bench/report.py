"""A bench in the terminal, and as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from speedrun.bench import noise
from speedrun.bench.compare import FASTER, SLOWER, Comparison
from speedrun.bench.result import KINDS, Bench, Kind, Row
from speedrun.records.sanitize import sanitize
from speedrun.text import duration, format_size, rate, size

_BAR = 30
_STYLES = {FASTER: "green", SLOWER: "red"}


def as_json(bench: Bench, comparison: Comparison | None) -> str:
    """What was measured, what follows from it, and the comparison if there is one."""
    content = bench.model_dump(mode="json", by_alias=True)
    content["busy"] = noise.reasons(bench)
    content["summary"] = [summary(row) for row in bench.rows]
    if comparison is not None:
        content["comparison"] = comparison.as_dict()
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def summary(row: Row) -> dict[str, Any]:
    """Medians, spreads and shares of a variant."""
    found: dict[str, Any] = {"variant": noise.name(row)}
    for kind in KINDS:
        found[f"{kind}_tokens_per_s"] = row.median(kind)
        found[f"{kind}_spread"] = row.spread(kind)
    found["score_over_train"] = row.median("score") / row.median("train")
    found["share_6n"], found["share_exact"] = shares(row)
    return found


def shares(row: Row) -> tuple[float | None, float | None]:
    """Of the measured rate of matrix products, what training reaches: by 6·N, by exact count."""
    limit = row.matmul_flop_s
    if row.flop is None or limit is None:
        return None, None
    reached = row.median("train") / limit
    return reached * row.flop.train_6n, reached * row.flop.train_exact


def show(console: Console, bench: Bench, comparison: Comparison | None) -> None:
    is_busy = bool(noise.reasons(bench))
    _print_machine(console, bench)
    console.print(_table(bench, is_busy=is_busy))
    _print_busy(console, bench)
    for row in bench.rows:
        if row.profile is not None:
            console.print(_profile(row))
            if row.profile.note:
                console.print(Text(sanitize(row.profile.note), style="dim"), soft_wrap=False)
    for failure in bench.failed:
        text = f"{sanitize(failure.variant)} failed: {sanitize(failure.error)}"
        console.print(Text(text, style="red"), soft_wrap=True)
    if comparison is not None:
        _print_comparison(console, comparison)


def _print_machine(console: Console, bench: Bench) -> None:
    about = {row.device: row for row in reversed(bench.rows)}
    console.print(
        Text(f"{sanitize(bench.cpu)}, {bench.cores} cores; data {sanitize(bench.data.name)}")
    )
    for device, row in about.items():
        rates = row.matmul_gflops
        known = {"fp32": rates.fp32, "bf16": rates.bf16}
        products = ", ".join(f"{rate(v * 1e9)} {k}" for k, v in known.items() if v)
        where = f"{sanitize(device)} ({sanitize(row.hardware_class)})"
        console.print(Text(f"{where}: matrix products {products}", style="dim"), soft_wrap=True)


def _table(bench: Bench, *, is_busy: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("", "training", "of limit", "scoring", "per", "story", "peak"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    table.add_row(
        "",
        "tokens/s",
        "6·N, exact",
        "tokens/s",
        "train",
        f"{bench.settings.story_tokens} tokens",
        "memory",
        style="dim",
    )
    for row in bench.rows:
        story_s = bench.settings.story_tokens / row.median("sample")
        table.add_row(
            Text(noise.name(row)),
            _rate(row, "train", is_busy=is_busy),
            ", ".join("-" if share is None else f"{share:.0%}" for share in shares(row)),
            _rate(row, "score", is_busy=is_busy),
            f"x{row.median('score') / row.median('train'):.1f}",
            duration(story_s),
            size(float(row.peak_bytes)),
        )
    return table


def _rate(row: Row, kind: Kind, *, is_busy: bool) -> str:
    """Median and half the range; of a busy machine the range alone, which claims less."""
    samples = row.samples(kind)
    if is_busy and len(samples) > 1:
        return f"{format_size(min(samples))}-{format_size(max(samples))}"
    return f"{format_size(row.median(kind))} ±{row.spread(kind):.0%}"


def _print_busy(console: Console, bench: Bench) -> None:
    found = noise.reasons(bench)
    if not found:
        repeats = bench.settings.repeats
        of = f"{repeats} repeats, variants in turn"
        if any(len(row.samples(kind)) < repeats for row in bench.rows for kind in KINDS):
            of += "; fewer of what is slow"
        console.print(Text(f"median ± half the range of {of}", style="dim"))
        return
    console.print(Text("The machine was busy; these are ranges, not its speed:", style="yellow"))
    for reason in found:
        console.print(Text(f"  {reason}", style="yellow"), soft_wrap=True)


def _profile(row: Row) -> Table:
    """The parts of a step; they add up to its last line."""
    assert row.profile is not None
    parts_s = row.profile.parts_s
    step_s = sum(parts_s.values())
    table = Table(
        title=Text(f"\na training step of {noise.name(row)}"),
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        padding=(0, 2, 0, 0),
    )
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify)
    for part, part_s in sorted(parts_s.items(), key=lambda item: -item[1]):
        share = part_s / step_s if step_s else 0.0
        bar = "█" * round(_BAR * max(0.0, share))
        table.add_row(Text(f"  {sanitize(part)}"), f"{part_s * 1e3:.2f} ms", f"{share:.1%}", bar)
    usual_s = row.batch_rows * row.context / row.median("train")
    usual = f"not profiled {usual_s * 1e3:.2f} ms"
    table.add_row("  sum", f"{step_s * 1e3:.2f} ms", "100%", usual, style="bold")
    return table


def _print_comparison(console: Console, comparison: Comparison) -> None:
    console.print(Text("\nAgainst the saved bench", style="bold"))
    _print_notes(console, comparison.notes)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("", "", "before", "now", "ratio", "95 % interval", "verdict"):
        table.add_column(
            column, justify="right" if column in ("before", "now", "ratio") else "left"
        )
    for change in comparison.changes:
        interval = "-"
        if change.low is not None and change.high is not None:
            interval = f"{change.low:.3f} to {change.high:.3f}"
        verdict = f"{change.verdict} ({change.why})" if change.why else change.verdict
        table.add_row(
            Text(change.variant),
            {"train": "training", "score": "scoring", "sample": "sampling"}[change.kind],
            f"{change.before:,.0f}",
            f"{change.now:,.0f}",
            f"{change.ratio:.3f}",
            interval,
            Text(verdict, style=_STYLES.get(change.verdict, "")),
        )
    console.print(table)
    console.print(
        Text(
            "tokens/s, medians; the interval knows the repeats of these two benches only: run both"
            " again, in turn, before believing a small change",
            style="dim",
        )
    )


def _print_notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(Text(f"  {sanitize(note)}", style="yellow"), soft_wrap=True)
