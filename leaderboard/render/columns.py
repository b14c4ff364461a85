"""What the tables of terminal, Markdown and page have in common: columns and how numbers read."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from leaderboard.rank import MIN_SEEDS, Board, Entry
from speedrun.records.statistics import Spread
from speedrun.records.summary import Summary
from speedrun.text import format_size

MARKS = {"": "", "rescored": "✓", "rerun": "✓✓", "failed": "✗"}
LEGEND = (
    "✓ rescored from its weights by somebody, ✓✓ raced again by somebody, ✗ did not hold;"
    " ≤ a bound; * made with changes that are not committed"
)


def spread(value: Spread, digits: int, scale: float = 1.0) -> str:
    """`mean ± sample standard deviation`, or the mean alone of one seed."""
    sd = "" if value.sd is None else f" ± {value.sd / scale:,.{digits}f}"
    return f"{value.mean / scale:,.{digits}f}{sd}"


def score(entry: Entry) -> str:
    return ("≤ " if entry.is_bound else "") + spread(entry.bits_per_byte, 4)


def perplexity(entry: Entry) -> str:
    """With the size of the tokenizer that it belongs to."""
    sign = "≤ " if entry.is_bound else ""
    return f"{sign}{spread(entry.perplexity, 2)} ({entry.first.vocab:,})"


def standing(entry: Entry) -> str:
    """What the entry is to its track's record."""
    p = "" if entry.p_value is None else f"p = {p_value(entry.p_value)}"
    if entry.status in ("record", "former record"):
        return f"{entry.status}, {p}" if p else entry.status
    lacks = f": {entry.why}" if entry.why else ""
    return f"{entry.status}{lacks}" if entry.status == "unconfirmed" else ""


def verified(entry: Entry) -> str:
    """The mark, and how many of the runs it is for where it is not for all."""
    partly = entry.mark in ("rescored", "rerun") and entry.num_verified < len(entry.runs)
    of = f" {entry.num_verified} of {len(entry.runs)}" if partly else ""
    return MARKS[entry.mark] + of


def p_value(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.0e}".replace("e-0", "e-")


def machine(row: Summary) -> str:
    """`torch cpu`; the backend alone where its device is called the same."""
    return row.backend if row.backend == row.device else f"{row.backend} {row.device}"


class Column(NamedTuple):
    """A column of the table: its title, whether numbers stand in it, and an entry's cell."""

    title: str
    is_number: bool
    cell: Callable[[Entry], str]


COLUMNS: Sequence[Column] = (
    Column("bits per byte", True, score),
    Column("n", True, lambda entry: str(entry.bits_per_byte.n)),
    Column("perplexity (vocab)", True, perplexity),
    Column("parameters", True, lambda entry: format_size(entry.first.num_params)),
    Column("tokens", True, lambda entry: f"{entry.num_tokens.mean / 1e6:,.2f}M"),
    Column("tokens/s", True, lambda entry: f"{entry.tokens_per_s.mean:,.0f}"),
    Column("architecture", False, lambda entry: entry.first.arch),
    Column("backend", False, lambda entry: machine(entry.first)),
    Column("verified", False, verified),
    Column("author", False, lambda entry: ", ".join(entry.authors)),
    Column("date", False, lambda entry: entry.created[:10]),
    Column("entry", False, lambda entry: entry.id[:8]),
    Column("standing", False, standing),
)


def label(entry: Entry) -> str:
    return entry.label + ("*" if entry.is_dirty else "")


def record_line(board: Board) -> str:
    """The standing record of a track in a sentence."""
    exact = next((entry for entry in board.records if not entry.is_bound), None)
    if exact is None:
        return f"No record yet: one needs {MIN_SEEDS} seeds from committed code."
    line = f"Record: {exact.label}, {spread(exact.bits_per_byte, 4)} bits per byte"
    if exact.p_value is None:
        return f"{line}; the first with {MIN_SEEDS} seeds."
    beaten = next(entry for entry in board.entries if entry.id == exact.rival)
    return (
        f"{line}; it beat {beaten.label} ({spread(beaten.bits_per_byte, 4)}) with"
        f" p = {p_value(exact.p_value)}."
    )
