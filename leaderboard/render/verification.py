"""Findings of a verification in a terminal."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.attestations import Leaks, Rerun, Rescored, SecondHeldOut, Verification
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.text import format_size


def show(console: Console, note: Verification, record: Record, warnings: Sequence[str]) -> None:
    """Print every check with its result, and the verdict."""
    size = f"{record.arch} {format_size(record.num_params)}, seed {record.seed}"
    lines = [("record", f"{record.id[:12]}  {size}, {record.budget_s / 60:g} min")]
    if note.rescored is not None:
        lines += _rescored(note.rescored, record)
    if note.second is not None:
        lines.append(("second set", second_line(note.second, record)))
    if note.leaks is not None:
        lines += _leaks(note.leaks, record)
    if note.rerun is not None:
        lines += _rerun(note.rerun, record)
    table = Table.grid(padding=(0, 2))
    for label, text in (*lines, *(("note", warning) for warning in warnings)):
        table.add_row(Text(label, style="dim"), Text(sanitize(text)))
    console.print(table)
    verdict, style = ("confirmed", "green") if note.agrees else ("not confirmed", "red")
    console.print(Text(f"The record is {verdict}.", style=f"bold {style}"))


def _rescored(found: Rescored, record: Record) -> Iterator[tuple[str, str]]:
    assert record.score is not None
    num_bytes = min(max(1, record.score.num_bytes), 1 << 62)  # a float cannot hold every claim

    def nats(value: float) -> str:
        return f"{value:,.2f} nats, {value / math.log(2) / num_bytes:.5f} bits per byte"

    yield "claimed", nats(found.claimed_nats)
    on = f", on {found.device}"
    yield "found", "no finite score" if found.found_nats is None else nats(found.found_nats) + on
    if found.difference is not None:
        yield "difference", f"{found.difference:+.1e} (allowed: ± {found.allowed:.1e})"
    yield from (("passed", check) for check in found.checks)
    yield from (("failed", check) for check in found.failed)


def second_line(found: SecondHeldOut, record: Record) -> str:
    """`2,000 held-out documents from number 2,001 on: 0.7301 bits per byte, Δ +0.0032 (…`."""
    first = record.score.num_docs if record.score else 0
    which = f"{found.num_docs:,} held-out documents from number {first + 1:,} on"
    adjusted = f"{found.adjusted:+.4f} ± {found.adjusted_se:.4f} at equal word frequencies"
    how = "within" if found.is_explained else "beyond"
    return (
        f"{which}: {found.bits_per_byte:.4f} bits per byte, Δ {found.difference:+.4f} ({adjusted},"
        f" p = {found.p_value:.2g}): {how} what sampling explains"
    )


def _leaks(found: Leaks, record: Record) -> Iterator[tuple[str, str]]:
    searched = f"{found.num_documents:,} training documents searched"
    equal = f"{found.num_equal:,} equal to a held-out one"
    yield "held-out text", f"{searched}: {equal}, {found.num_near:,} more share half of one"
    yield from _compared(found, record.data.num_dropped_duplicates)


def _compared(found: Leaks, num_dropped: int) -> Iterator[tuple[str, str]]:
    """Results of comparing a record with its data, each `passed` or `failed`."""
    if found.consumed_agrees:
        yield "passed", "the data gives the tokens that the run consumed (SHA-256)"
    if found.tokenizer_agrees:
        yield "passed", "the vocabulary is the shipped one, or what the training documents give"
    is_explained = False in (found.consumed_agrees, found.tokenizer_agrees)
    if found.consumed_agrees is False:
        yield "failed", "the run did not consume the tokens that the data gives"
    if found.tokenizer_agrees is False:
        yield "failed", "the vocabulary is not what the training documents give"
    if not found.agrees and not is_explained:
        said = f"the record says that {num_dropped:,} documents were dropped"
        yield "failed", f"{said}, the data has others"


def _rerun(found: Rerun, record: Record) -> Iterator[tuple[str, str]]:
    worse = f"{abs(found.difference):.2%} {'worse' if found.difference > 0 else 'better'}"
    claimed = f"claimed {found.claimed_bits_per_byte:.4f}: {worse} (run {found.record[:12]})"
    yield "rerun", f"{found.found_bits_per_byte:.4f} bits per byte, {claimed}"
    if found.hardware_class != record.hardware.hardware_class:
        own = record.hardware.hardware_class
        yield "", f"on {found.hardware_class} instead of {own}: cannot refute the claim"
    elif found.p_value is not None:
        spread = f"± {found.noise or 0.0:.4f}, {found.num_seeds} of the entry's seeds"
        yield "", f"pooled noise {spread}: p = {found.p_value:.2g} for all of its reruns"
