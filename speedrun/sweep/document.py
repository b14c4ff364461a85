"""The report of a sweep as Markdown: tables, sentences and the laws in words."""

import math
import statistics
from collections.abc import Iterator, Sequence

import numpy as np

from speedrun.records.sanitize import sanitize
from speedrun.records.summary import Summary
from speedrun.scaling_laws import fit, law
from speedrun.scaling_laws.law import Optimum
from speedrun.sweep import results as sweep_laws
from speedrun.sweep.results import ArchSweep, Folder
from speedrun.text import format_size


def document(found: Folder, checked: Sequence[Summary]) -> Iterator[str]:
    """The lines of the report; `checked` are runs to compare with what the laws predict."""
    first = found.first
    yield f"# Sweep: {sanitize(first.data_name)} on {sanitize(first.hardware_class)}"
    yield ""
    num_runs = sum(len(swept.rows) for swept in found.archs)
    yield (
        f"{num_runs} runs on {sanitize(first.data_name)}@{first.train_fingerprint[:4]}, scored on"
        f" {first.num_docs:,} held-out documents. Scores are held-out bits per byte, mean ± sd over"
        " seeds; tokens and tokens/s are medians, because a busy hour of the machine is no property"
        " of a size."
    )
    if lines := list(_left_out(found)):
        yield ""
        yield from lines
    for swept in found.archs:
        yield from _arch(swept, [row for row in checked if row.arch == swept.arch])
    yield from _frontier(found)


def _left_out(found: Folder) -> Iterator[str]:
    if found.num_corrupt:
        yield f"- {found.num_corrupt} corrupt record(s) skipped."
    for line in found.left_out:
        yield f"- left out: {line}"
    for failure in found.failures:
        run = (
            f"{failure.arch} {format_size(failure.params)}, {failure.minutes:g} min,"
            f" seed {failure.seed}"
        )
        if failure.stopped_at is not None:
            yield f"- {run}: {sanitize(failure.error)}"
            continue
        code = "" if failure.exit_code is None else f", exit code {failure.exit_code}"
        yield f"- failed: {run}{code}: {sanitize(failure.error)}"
    if any(failure.stopped_at is not None for failure in found.failures):
        yield (
            "\nRacing stopped runs that could not win: sizes with fewer seeds than others are known"
            " less well, and the laws rest on the runs that ended."
        )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' for _ in head)}|"
    yield from (f"| {' | '.join(cells)} |" for cells in rows)


def _arch(swept: ArchSweep, checked: Sequence[Summary]) -> Iterator[str]:
    sign = "≤ " if swept.is_bound else ""
    yield ""
    yield f"## {sanitize(swept.arch)}, recipe {sanitize(swept.recipe)}"
    for minutes in swept.minutes:
        yield ""
        yield f"### {minutes:g} min"
        yield from _table(
            ("size", "n", "bits per byte", "tokens", "tokens/s"),
            [
                (
                    format_size(cell.params),
                    str(cell.bits_per_byte.n),
                    sign + _spread_of(cell),
                    format_size(cell.num_tokens),
                    f"{cell.tokens_per_s:,.0f}",
                )
                for cell in swept.cells
                if cell.minutes == minutes
            ],
        )
        yield ""
        yield _time_optimal(swept, minutes)
    if swept.laws is not None:
        yield from _laws(swept)
        yield from _predictions(swept)
        yield from _check(swept, [*swept.held_out, *checked])


def _spread_of(cell: sweep_laws.Cell) -> str:
    found = cell.bits_per_byte
    return f"{found.mean:.4f}" + ("" if found.sd is None else f" ± {found.sd:.4f}")


def _time_optimal(swept: ArchSweep, minutes: float) -> str:
    """The sentence that a sweep is made for."""
    one = swept.measured.get(minutes)
    if one is None:
        num_sizes = len({row.num_params for row in swept.rows if row.budget_s == 60 * minutes})
        return (
            f"No time-optimal size: {num_sizes} size(s) scored at this budget, and a fit needs at"
            f" least {fit.MIN_SIZES}."
        )
    size, interval = format_size(one.params), f"{format_size(one.low)} to {format_size(one.high)}"
    if one.is_edge:
        end = "smallest" if one.advice == "go smaller" else "largest"
        return (
            f"**The minimum lies at or beyond the {end} size swept ({size}): {one.advice}.**"
            f" 95 % of the resamples lie within {interval}, as far as this sweep can see."
        )
    assert swept.laws is not None
    smallest, largest = swept.laws.swept
    open_end = (
        " The interval reaches an end of the sweep and may go on beyond it."
        if one.low <= smallest * 1.01 or one.high >= largest / 1.01
        else ""
    )
    return (
        f"**Time-optimal size at {minutes:g} min: {size}** (95 %: {interval}),"
        f" {one.bits_per_byte:.4f} bits per byte by the fit.{open_end}"
    )


def _laws(swept: ArchSweep) -> Iterator[str]:
    laws = swept.laws
    assert laws is not None
    loss, speed = laws.loss, laws.speed
    yield ""
    yield "### Laws"
    yield ""
    yield (
        f"- Loss in bits per byte: L(N, D) = {loss.E:.4g} + {loss.A:.4g} / N^{loss.alpha:.3f} +"
        f" {loss.B:.4g} / D^{loss.beta:.3f}, N parameters, D training tokens; a Huber fit of log"
        " residuals with every run at the tokens it saw. Exponents have the published ones as"
        f" prior ({fit.PRIOR[0]} and {fit.PRIOR[1]} ± {fit.PRIOR_SD})."
    )
    yield (
        f"- Speed: seconds per token = {speed.fixed:.3g} + {speed.scale:.3g} · N^{speed.power:.3f}."
    )
    yield from _power_laws(swept)
    yield from _table(
        ("size", "minutes", "tokens/s", "by the law", "residual of the loss"),
        [
            (
                format_size(cell.params),
                f"{cell.minutes:g}",
                f"{cell.tokens_per_s:,.0f}",
                f"{float(speed.tokens_per_s(cell.params)):,.0f}",
                f"{_residual(swept, cell):+.2%}",
            )
            for cell in swept.cells
        ],
    )
    worst = float(np.max(np.abs(laws.residuals)))
    typical = float(np.median(np.abs(laws.residuals)))
    yield ""
    yield f"Residuals of single runs: {typical:.2%} in the median, {worst:.2%} at most."


def _residual(swept: ArchSweep, cell: sweep_laws.Cell) -> float:
    """Median of log(measured / law) over the runs of a cell."""
    assert swept.laws is not None
    return statistics.median(
        math.log(r.bits_per_byte / float(swept.laws.loss(r.num_params, r.num_tokens)))
        for r in cell.rows
    )


def _power_laws(swept: ArchSweep) -> Iterator[str]:
    """L(N) at equal tokens, and L(C) along the frontier of compute, as straight lines."""
    params, losses, middle = swept.equal_tokens()
    line = fit.power_law(params, losses)
    yield (
        f"- L(N) = {line.scale:.4g} · N^{line.exponent:.4f}, R² {line.r2:.4f} on log-log axes over"
        f" {line.num_points} runs, each moved along the law to {format_size(middle)} tokens."
    )
    found = swept.cells
    compute = np.array([6.0 * cell.params * cell.num_tokens for cell in found])
    means = np.array([cell.bits_per_byte.mean for cell in found])
    best = law.frontier(compute, means)
    if best.sum() < 3:
        yield (f"- L(C): {best.sum()} point(s) on the frontier of compute; a line needs 3.")
        return
    line = fit.power_law(compute[best], means[best])
    yield (
        f"- L(C) = {line.scale:.4g} · C^{line.exponent:.4f}, C = 6·N·D FLOP, R² {line.r2:.4f} over"
        f" the {line.num_points} sizes and budgets that none with less compute beats."
    )


def _predictions(swept: ArchSweep) -> Iterator[str]:
    laws = swept.laws
    assert laws is not None
    yield ""
    yield "### Budgets, measured and predicted"
    rows = []
    for minutes in sorted({*swept.measured, *swept.predicted}):
        one = swept.measured.get(minutes) or swept.predicted[minutes]
        size = law.ratio_size(laws.speed, minutes)
        there = float(law.time_loss(laws.loss, laws.speed, size, 60 * minutes))
        rows.append(
            (
                f"{minutes:g}",
                "measured" if minutes in swept.measured else "predicted",
                format_size(one.params) + _edge(one),
                f"{format_size(one.low)} to {format_size(one.high)}",
                f"{one.bits_per_byte:.4f}",
                format_size(size),
                f"{there:.4f}",
            )
        )
    yield from _table(
        (
            "minutes",
            "",
            "time-optimal size",
            "95 %",
            "bits per byte",
            "20 tokens a parameter",
            "bits per byte there",
        ),
        rows,
    )
    if any("*" in cells[2] for cells in rows):
        yield ""
        yield "\\* at or beyond the end of what was swept: the laws are followed, not measured."


def _edge(one: Optimum) -> str:
    return " \\*" if one.is_edge else ""


def _check(swept: ArchSweep, rows: Sequence[Summary]) -> Iterator[str]:
    """Runs that the laws were not fitted to, against what they say."""
    laws = swept.laws
    if not rows or laws is None:
        return
    yield ""
    yield "### Predictions checked"
    table = []
    for cell in sweep_laws.cells(rows):
        by_time = float(law.time_loss(laws.loss, laws.speed, cell.params, 60 * cell.minutes))
        by_tokens = float(laws.loss(cell.params, cell.num_tokens))
        mean = cell.bits_per_byte.mean
        table.append(
            (
                f"{cell.minutes:g}",
                format_size(cell.params),
                str(cell.bits_per_byte.n),
                _spread_of(cell),
                f"{by_time:.4f}",
                f"{by_time / mean - 1:+.2%}",
                f"{by_tokens / mean - 1:+.2%}",
            )
        )
    yield from _table(
        ("minutes", "size", "n", "measured", "predicted", "off", "off at the tokens it saw"), table
    )


def _frontier(found: Folder) -> Iterator[str]:
    if len(found.archs) < 2:
        return
    yield ""
    yield "## Across architectures"
    rows = []
    for minutes in sorted({m for swept in found.archs for m in swept.minutes}):
        best = [
            (swept.is_bound, cell.bits_per_byte.mean, swept, cell)
            for swept in found.archs
            for cell in swept.cells
            if cell.minutes == minutes
        ]
        for swept in found.archs:
            mine = [entry for entry in best if entry[2] is swept]
            if not mine:
                continue
            _, _, _, cell = min(mine, key=lambda entry: entry[1])
            one = swept.measured.get(minutes)
            leads = min(best, key=lambda entry: entry[:2])[2] is swept
            rows.append(
                (
                    f"{minutes:g}",
                    sanitize(swept.arch) + (" ←" if leads else ""),
                    format_size(cell.params),
                    ("≤ " if swept.is_bound else "") + _spread_of(cell),
                    "-" if one is None else format_size(one.params) + _edge(one),
                    "-" if one is None else f"{one.bits_per_byte:.4f}",
                )
            )
    yield from _table(
        (
            "minutes",
            "architecture",
            "best size raced",
            "bits per byte",
            "time-optimal",
            "bits per byte by the fit",
        ),
        rows,
    )
    yield ""
    yield "← leads at this budget. Bounds (≤) never lead over exact scores."
