"""Columns and number formats that the terminal, Markdown and the web page share."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from leaderboard.standing.boards import Board
from leaderboard.standing.duels import JudgedDuel
from leaderboard.standing.entries import MIN_SEEDS, Entry
from speedrun.records.statistics import Spread
from speedrun.records.summary import Summary
from speedrun.text import format_size

MARKS = {"": "", "own": "own", "rescored": "✓", "rerun": "✓✓", "failed": "✗"}
SIGNS = {
    "*": "uncommitted changes",
    "†": "code from outside the project",
    "‡": "host not fit for a record",
    "§": "long accounts off the clock",
    "¶": "a second held-out set differs by more than sampling explains",
}
LEGEND = (
    "✓ rescored independently, ✓✓ reproduced independently, own: by its author alone,"
    " ✗ verification failed; P(better) than the record; extra: runs in no mean; ≤ an upper bound; "
    + ", ".join(f"{sign} {words}" for sign, words in SIGNS.items())
)


def spread(value: Spread, digits: int) -> str:
    """`mean ± sample standard deviation`, or the mean alone for a single seed."""
    sd = "" if value.sd is None else f" ± {value.sd:,.{digits}f}"
    return f"{value.mean:,.{digits}f}{sd}"


def score(entry: Entry) -> str:
    """Bits per byte over the seeds of an entry, with `≤` for a bound."""
    return ("≤ " if entry.is_bound else "") + spread(entry.bits_per_byte, 4)


def num_runs(entry: Entry) -> str:
    """`3 (2 extra)`: runs that count, and others."""
    extra = f" ({entry.num_extra} extra)" if entry.num_extra else ""
    return f"{entry.bits_per_byte.n}{extra}"


def probability(entry: Entry) -> str:
    """Probability that an entry is better than the record; nothing for records."""
    is_shown = entry.probability is not None and "record" not in entry.status
    return certainty(entry.probability or 0.0) if is_shown else ""


def certainty(p: float) -> str:
    """A probability with three digits, of which none is rounded to 0 or 1."""
    return "<0.001" if p < 0.001 else ">0.999" if p > 0.999 else f"{p:.3f}"


def _perplexity(entry: Entry) -> str:
    sign = "≤ " if entry.is_bound else ""
    return f"{sign}{spread(entry.perplexity, 2)} ({entry.first.vocab:,})"


def detail(entry: Entry) -> str:
    """The requirements that an entry does not meet yet, or else the p-value of its duel."""
    return entry.why or ("" if entry.p_value is None else f"p = {p_value(entry.p_value)}")


def standing(entry: Entry) -> str:
    """Status of an entry in its track: record, former record, unconfirmed or nothing."""
    if entry.status == "behind":
        return ""
    joint = {"unconfirmed": ": ", "replication": " "}.get(entry.status, ", ")
    return joint.join(filter(None, (entry.status, detail(entry))))


def verified(entry: Entry) -> str:
    """The verification mark, with the number of verified runs if not all are."""
    partly = entry.mark not in ("", "failed") and entry.num_verified < len(entry.runs)
    of = f" {entry.num_verified} of {len(entry.runs)}" if partly else ""
    return MARKS[entry.mark] + of


def p_value(p: float) -> str:
    """Two significant digits; a power of ten below 1e-4."""
    return f"{p:.2g}" if p >= 1e-4 else f"{p:.0e}".replace("e-0", "e-")


def machine(run: Summary) -> str:
    """`torch cpu`, or the backend alone where its device has the same name."""
    return run.backend if run.backend == run.device else f"{run.backend} {run.device}"


def rate(value: float | None) -> str:
    """GFLOP/s without decimals; nothing where it was not measured."""
    return "" if value is None else f"{value:,.0f}"


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
    Column("n", True, num_runs, 11),
    Column("P(better)", True, probability, 12),
    Column("perplexity (vocab)", True, _perplexity, 7),
    Column("parameters", True, lambda entry: format_size(entry.first.num_params), 10),
    Column("tokens", True, lambda entry: _tokens(entry.num_tokens.mean), 8),
    Column("tokens/s", True, lambda entry: f"{entry.tokens_per_s.mean:,.0f}", 6),
    Column("GFLOP/s", True, lambda entry: rate(entry.matmul), 5),
    Column("architecture", False, lambda entry: entry.first.arch, 9),
    Column("backend", False, lambda entry: machine(entry.first), 3),
    Column("verified", False, verified, 2),
    Column("author", False, lambda entry: entry.author or "", 1),
    Column("date", False, lambda entry: entry.created[:10], 4),
    Column("entry", False, lambda entry: entry.id[:8]),
    Column("standing", False, standing),
)


def marks(entry: Entry) -> str:
    """Signs of an entry, as `LEGEND` explains them."""
    return "".join(sign for sign, _ in explained_marks(entry))


def explained_marks(entry: Entry) -> list[tuple[str, str]]:
    """Signs of an entry, each with its meaning and the reason for it."""
    has = {
        "*": entry.is_dirty,
        "†": entry.is_outside,
        "‡": entry.unfit_because is not None,
        "§": bool(entry.flags),
        "¶": entry.is_doubted,
    }
    why = {"‡": entry.unfit_because, "§": entry.flags}
    return [
        (sign, f"{words}: {why[sign]}" if why.get(sign) else words)
        for sign, words in SIGNS.items()
        if has[sign]
    ]


def label(entry: Entry) -> str:
    """Name of an entry with its marks."""
    return entry.label + marks(entry)


def facts_line(board: Board) -> str:
    """One sentence about the machines of a track; nothing where no rate was measured."""
    if board.matmul is None:
        return ""
    return f"Matrix products of this hardware class: {rate(board.matmul)} GFLOP/s in fp32 (median)."


def record_line(board: Board) -> str:
    """One sentence about the standing record of a track."""
    exact = next((entry for entry in board.records if not entry.is_bound), None)
    if exact is None:
        return f"No record yet: a record needs seeds 0 to {MIN_SEEDS - 1} and committed code."
    line = f"Record: {exact.label}, {spread(exact.bits_per_byte, 4)} bits per byte"
    duel = next((one for one in board.duels if one.duel.id == exact.duel), None)
    if duel is None:
        is_by_seeds = exact.complete_since is not None
        held_as = f"first with {MIN_SEEDS} seeds" if is_by_seeds else "side A of the first duel"
        return f"{line}; {held_as}."
    beaten = next(entry for entry in board.entries if entry.id == exact.rival)
    return f"{line}; it beat {beaten.label} in a duel: {duel_result(duel)}."


def duel_result(one: JudgedDuel) -> str:
    """`-1.72 % (95 % interval -2.04 to -1.40 %), 5 pairs, p = 3e-5`: of B against A."""
    found, num = one.verdict, len(one.duel.counted)
    if num < 2:
        return f"{change(found.mean)}, {num} pair"
    within = f"95 % interval {change(found.low)} to {change(found.high)}"
    p = p_value(min(found.p_value, found.p_value_a))
    return f"{change(found.mean)} ({within}), {num} pairs, p = {p}"


def change(ln_ratio: float) -> str:
    """A difference of logarithms as a signed share, `-1.72 %`."""
    return f"{100 * math.expm1(min(ln_ratio, 700.0)):+.2f} %"


def duel_verdict(one: JudgedDuel) -> str:
    """Whether a duel was won, and what keeps it from moving a record."""
    won = f"{one.winner.upper()} is better" if one.winner else ""
    return ": ".join(filter(None, (won, one.why_not)))
