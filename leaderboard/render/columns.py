"""Columns and number formats that the terminal, Markdown and the web page share."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from leaderboard.rank import MIN_SEEDS, Board, Entry
from speedrun.records.statistics import Spread
from speedrun.records.summary import Summary
from speedrun.text import format_size

MARKS = {"": "", "rescored": "✓", "rerun": "✓✓", "failed": "✗"}
LEGEND = (
    "✓ rescored independently, ✓✓ reproduced independently, ✗ verification failed;"
    " ≤ an upper bound; * uncommitted changes"
)


def spread(value: Spread, digits: int) -> str:
    """`mean ± sample standard deviation`, or the mean alone for a single seed."""
    sd = "" if value.sd is None else f" ± {value.sd:,.{digits}f}"
    return f"{value.mean:,.{digits}f}{sd}"


def score(entry: Entry) -> str:
    """Bits per byte over the seeds of an entry, with `≤` for a bound."""
    return ("≤ " if entry.is_bound else "") + spread(entry.bits_per_byte, 4)


def _perplexity(entry: Entry) -> str:
    sign = "≤ " if entry.is_bound else ""
    return f"{sign}{spread(entry.perplexity, 2)} ({entry.first.vocab:,})"


def detail(entry: Entry) -> str:
    """The requirements that an entry does not meet yet, or else the p-value of its test."""
    return entry.why or ("" if entry.p_value is None else f"p = {p_value(entry.p_value)}")


def standing(entry: Entry) -> str:
    """Status of an entry in its track: record, former record, unconfirmed or nothing."""
    if entry.status == "behind":
        return ""
    joint = ": " if entry.status == "unconfirmed" else ", "
    return joint.join(filter(None, (entry.status, detail(entry))))


def verified(entry: Entry) -> str:
    """The verification mark, with the number of verified runs if not all are."""
    partly = entry.mark in ("rescored", "rerun") and entry.num_verified < len(entry.runs)
    of = f" {entry.num_verified} of {len(entry.runs)}" if partly else ""
    return MARKS[entry.mark] + of


def p_value(p: float) -> str:
    """Two significant digits; a power of ten below 1e-4."""
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.0e}".replace("e-0", "e-")


def machine(run: Summary) -> str:
    """`torch cpu`, or the backend alone where its device has the same name."""
    return run.backend if run.backend == run.device else f"{run.backend} {run.device}"


def _tokens(mean: float) -> str:
    """Tokens in millions, which compare at a glance; fewer than 0.1M in full."""
    return f"{mean / 1e6:,.2f}M" if mean >= 1e5 else f"{mean:,.0f}"


class Column(NamedTuple):
    """Column of the table: title, alignment, and the cell of an entry."""

    title: str
    is_number: bool
    cell: Callable[[Entry], str]
    dropped: int = 0  # place in the order in which a narrow terminal drops columns; 0: never


COLUMNS: Sequence[Column] = (
    Column("bits per byte", True, score),
    Column("n", True, lambda entry: str(entry.bits_per_byte.n), 10),
    Column("perplexity (vocab)", True, _perplexity, 7),
    Column("parameters", True, lambda entry: format_size(entry.first.num_params), 9),
    Column("tokens", True, lambda entry: _tokens(entry.num_tokens.mean), 8),
    Column("tokens/s", True, lambda entry: f"{entry.tokens_per_s.mean:,.0f}", 5),
    Column("architecture", False, lambda entry: entry.first.arch, 6),
    Column("backend", False, lambda entry: machine(entry.first), 3),
    Column("verified", False, verified, 2),
    Column("author", False, lambda entry: ", ".join(entry.authors), 1),
    Column("date", False, lambda entry: entry.created[:10], 4),
    Column("entry", False, lambda entry: entry.id[:8]),
    Column("standing", False, standing),
)


def label(entry: Entry) -> str:
    """Name of an entry, with `*` for uncommitted changes."""
    return entry.label + ("*" if entry.is_dirty else "")


def record_line(board: Board) -> str:
    """One sentence about the standing record of a track."""
    exact = next((entry for entry in board.records if not entry.is_bound), None)
    if exact is None:
        return f"No record yet: a record needs {MIN_SEEDS} seeds and committed code."
    line = f"Record: {exact.label}, {spread(exact.bits_per_byte, 4)} bits per byte"
    if exact.p_value is None:
        return f"{line}; first entry with the required {MIN_SEEDS} seeds."
    beaten = next(entry for entry in board.entries if entry.id == exact.rival)
    theirs = spread(beaten.bits_per_byte, 4)
    return f"{line}; it beat {beaten.label} ({theirs}), p = {p_value(exact.p_value)}."
