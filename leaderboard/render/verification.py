"""What a verification found, for the terminal."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboard.attestations import Leaks, Rerun, Rescored, Verification
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.text import format_size


def show(console: Console, note: Verification, record: Record, warnings: list[str]) -> None:
    """Print what was checked and found, and the verdict."""
    table = Table.grid(padding=(0, 2))
    lines = [
        (
            "record",
            f"{record.id[:12]}  {record.arch} {format_size(record.num_params)},"
            f" seed {record.seed}, {record.budget_s / 60:g} min",
        )
    ]
    if note.rescored is not None:
        lines += _rescored(note.rescored, record)
    if note.leaks is not None:
        lines += _leaks(note.leaks, record)
    if note.rerun is not None:
        lines += _rerun(note.rerun, record)
    lines += [("note", remark) for remark in warnings]
    for label, text in lines:
        table.add_row(Text(label, style="dim"), Text(sanitize(text)))
    console.print(table)
    holds = note.agrees
    verdict = "The record holds." if holds else "The record does not hold."
    console.print(Text(verdict, style="bold green" if holds else "bold red"))


def _rescored(found: Rescored, record: Record) -> list[tuple[str, str]]:
    assert record.score is not None
    num_bytes = min(max(1, record.score.num_bytes), 1 << 62)  # more than a float can say, perhaps
    per_nat = 1 / math.log(2) / num_bytes
    lines = [("claimed", _nats(found.claimed_nats, per_nat))]
    if found.found_nats is None:
        lines.append(("found", "no finite score"))
    else:
        lines.append(("found", f"{_nats(found.found_nats, per_nat)}, on {found.device}"))
    if found.difference is not None:
        lines.append(
            ("difference", f"{found.difference:+.1e}, allowed are {found.allowed:.1e} either way")
        )
    lines += [("passed", check) for check in found.checks]
    lines += [("failed", check) for check in found.failed]
    return lines


def _nats(nats: float, per_nat: float) -> str:
    return f"{nats:,.2f} nats, {nats * per_nat:.5f} bits per byte"


def _leaks(found: Leaks, record: Record) -> list[tuple[str, str]]:
    claimed = record.data.num_dropped_duplicates
    lines = [
        (
            "held-out text",
            f"{found.num_documents:,} training documents read: {found.num_equal:,} equal to a"
            f" held-out one, {found.num_near:,} more that share half of one",
        )
    ]
    if not found.agrees:
        lines.append(("failed", f"the record says that {claimed:,} were dropped"))
    return lines


def _rerun(found: Rerun, record: Record) -> list[tuple[str, str]]:
    worse = f"{abs(found.difference):.2%} {'worse' if found.difference > 0 else 'better'}"
    lines = [
        (
            "raced again",
            f"{found.found_bits_per_byte:.4f} bits per byte, claimed are"
            f" {found.claimed_bits_per_byte:.4f}: {worse} (run {found.record[:12]})",
        )
    ]
    if found.hardware_class != record.hardware.hardware_class:
        why = (
            f"on {found.hardware_class}, not on {record.hardware.hardware_class}: that cannot"
            " refute the claim"
        )
    elif found.p_value is None:
        why = "the entry has one seed, and so no noise of its own to hold that against"
    else:
        why = (
            f"the entry has ± {found.noise or 0.0:.4f} over {found.num_seeds} seeds; as bad a run"
            f" has p = {found.p_value:.2g}"
        )
    return [*lines, ("", why)]
