"""The report of a sweep, from the runs in its directory: Markdown, figures and `laws.json`."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markdown import Markdown

from speedrun.records.sanitize import sanitize
from speedrun.records.summary import Summary
from speedrun.scaling_laws import fit, law, laws_file
from speedrun.scaling_laws.law import Laws, Optimum
from speedrun.scaling_laws.laws_file import LAWS
from speedrun.sweep import figures, results
from speedrun.sweep.results import ArchResults, Cell, Results
from speedrun.system.files import write_atomic
from speedrun.text import format_size

REPORT = "report.md"


def report(
    folder: Path,
    check: Sequence[Path] = (),
    held_out_minutes: Sequence[float] = (),
    *,
    cache_laws: bool = False,
    console: Console | None = None,
) -> None:
    """Write and print the report of a sweep; `cache_laws` keeps its laws for later races.

    Runs in `check`, and those of `held_out_minutes`, are compared with their predictions.
    """
    console = console or Console()
    found = results.read(folder, held_out_minutes)
    lines = list(markdown(found, results.read_checked(found, check)))
    try:
        names = _write_laws_and_figures(folder, found, cache_laws=cache_laws)
        lines += ["", "## Figures", "", *(f"![{name}]({name}.svg)" for name in names)]
        text = "\n".join(lines) + "\n"
        write_atomic(folder / REPORT, text)
    except OSError as error:
        raise ValueError(f"{folder}: cannot write there ({error.strerror})") from None
    console.print(Markdown(text) if console.is_terminal else text, soft_wrap=True, markup=False)
    console.print(f"written to {folder / REPORT}", soft_wrap=True, markup=False, highlight=False)


def _write_laws_and_figures(folder: Path, found: Results, *, cache_laws: bool) -> list[str]:
    """Returns the names of the figures."""
    names = []
    fitted = [(one, one.laws) for one in found.archs if one.laws is not None]
    for number, (arch, laws) in enumerate(fitted):
        text = arch.laws_file(laws).to_json()
        if len(fitted) > 1:
            write_atomic(folder / f"laws-{arch.arch}.json", text)
        if number == 0:
            write_atomic(folder / LAWS, text)
        names += figures.draw(folder, arch, laws)
        if cache_laws:
            laws_file.cache(folder, arch.laws_file(laws))
    return names


def markdown(found: Results, checked: Sequence[Summary] = ()) -> Iterator[str]:
    """The lines of the page; `checked` are runs to compare with the predictions of the laws."""
    first = found.first
    yield f"# Sweep: {sanitize(first.data_name)} on {sanitize(first.hardware_class)}"
    yield ""
    yield (
        f"{sum(len(one.runs) for one in found.archs)} runs on"
        f" {sanitize(first.data_name)}@{first.train_fingerprint[:4]}, scored on"
        f" {first.num_docs:,} held-out documents. Scores are held-out bits per byte, mean ± sd over"
        " seeds; tokens and tokens/s are medians, to ignore busy periods of the machine."
    )
    if lines := list(_left_out(found)):
        yield ""
        yield from lines
    for arch in found.archs:
        yield from _arch(arch, [run for run in checked if run.arch == arch.arch])
    if len(found.archs) > 1:
        yield from _comparison(found)


def _left_out(found: Results) -> Iterator[str]:
    if found.num_corrupt:
        yield f"- {found.num_corrupt} corrupt record(s) skipped."
    yield from (f"- left out: {line}" for line in found.left_out)
    for one in found.failures:
        size = format_size(one.params)
        race = f"{one.arch} {size}, {one.minutes:g} min, seed {one.seed}: {sanitize(one.error)}"
        yield f"- {race}" if one.stopped_at is not None else f"- failed: {race}"
    if any(one.stopped_at is not None for one in found.failures):
        yield (
            "\nEarly stopping ended races that could not win: sizes with fewer seeds than others"
            " are known less well, and the laws are fitted to the complete runs."
        )


def _table(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A Markdown table of rows by column."""
    yield from ("", f"| {' | '.join(rows[0])} |", f"|{'---:|' * len(rows[0])}")
    yield from (f"| {' | '.join(row.values())} |" for row in rows)


def _arch(arch: ArchResults, checked: Sequence[Summary]) -> Iterator[str]:
    yield from ("", f"## {sanitize(arch.arch)}, recipe {sanitize(arch.recipe)}")
    for minutes in arch.minutes:
        rows = [
            {
                "size": format_size(cell.params),
                "n": str(cell.bits_per_byte.n),
                "bits per byte": _score(cell, arch.is_bound),
                "tokens": format_size(cell.num_tokens),
                "tokens/s": f"{cell.tokens_per_s:,.0f}",
            }
            for cell in arch.cells
            if cell.minutes == minutes
        ]
        yield from ("", f"### {minutes:g} min")
        yield from _table(rows)
        yield from ("", _time_optimal(arch, minutes, num_sizes=len(rows)))
    if arch.laws is not None:
        yield from _laws(arch, arch.laws)
        yield from _budgets(arch, arch.laws)
        if runs := [*arch.held_out, *checked]:
            yield from _predictions_checked(arch.laws, runs)


def _score(cell: Cell, is_bound: bool = False) -> str:
    found = cell.bits_per_byte
    sd = "" if found.sd is None else f" ± {found.sd:.4f}"
    return f"{'≤ ' if is_bound else ''}{found.mean:.4f}{sd}"


def _size(one: Optimum) -> str:
    return format_size(one.params) + (" \\*" if one.is_edge else "")


def _time_optimal(arch: ArchResults, minutes: float, *, num_sizes: int) -> str:
    """The sentence that a sweep is made for."""
    one = arch.measured.get(minutes)
    if one is None:
        return (
            f"Too few sizes for a time-optimal size: a fit needs {fit.MIN_SIZES}, this budget has"
            f" {num_sizes}. Add some with --params."
        )
    size, interval = format_size(one.params), f"{format_size(one.low)} to {format_size(one.high)}"
    assert arch.laws is not None
    if advice := arch.laws.advice(one):
        end = "smallest" if advice == "go smaller" else "largest"
        return (
            f"**The minimum lies at or beyond the {end} size swept ({size}): {advice}.**"
            f" 95 % of the resamples lie within {interval}, as far as this sweep can tell."
        )
    smallest, largest = arch.laws.swept
    is_open = one.low <= smallest * 1.01 or one.high >= largest / 1.01
    note = " The interval reaches an end of the sweep and may extend beyond it." if is_open else ""
    return (
        f"**Time-optimal size at {minutes:g} min: {size}** (95 %: {interval}),"
        f" {one.bits_per_byte:.4f} bits per byte by the fit.{note}"
    )


def _laws(arch: ArchResults, laws: Laws) -> Iterator[str]:
    loss, speed = laws.loss, laws.speed
    yield from ("", "### Laws", "")
    yield (
        f"- Loss in bits per byte: L(N, D) = {loss.E:.4g} + {loss.A:.4g} / N^{loss.alpha:.3f} +"
        f" {loss.B:.4g} / D^{loss.beta:.3f}, N parameters, D training tokens; a Huber fit of log"
        " residuals with every run at the tokens it saw. The published exponents are the prior"
        f" ({fit.PRIOR[0]} and {fit.PRIOR[1]} ± {fit.PRIOR_SD})."
    )
    yield (
        f"- Speed: seconds per token = {speed.fixed:.3g} + {speed.scale:.3g} · N^{speed.power:.3f}."
    )
    yield from _power_laws(arch, laws)
    yield from _table(
        [
            {
                "size": format_size(cell.params),
                "minutes": f"{cell.minutes:g}",
                "tokens/s": f"{cell.tokens_per_s:,.0f}",
                "by the law": f"{float(speed.tokens_per_s(cell.params)):,.0f}",
                "residual of the loss": f"{_residual(laws, cell):+.2%}",
            }
            for cell in arch.cells
        ]
    )
    off = np.abs(laws.residuals)
    yield ""
    yield f"Residuals of single runs: {np.median(off):.2%} in the median, {off.max():.2%} at most."


def _residual(laws: Laws, cell: Cell) -> float:
    """Median of log(measured / law) over the runs of a cell."""
    return statistics.median(
        math.log(run.bits_per_byte / float(laws.loss(run.num_params, run.num_tokens)))
        for run in cell.runs
    )


def _power_laws(arch: ArchResults, laws: Laws) -> Iterator[str]:
    """L(N) at equal tokens, and L(C) along the frontier of compute, as straight lines."""
    params, losses, middle = laws.equal_tokens()
    line = fit.power_law(params, losses)
    yield (
        f"- L(N) = {line.scale:.4g} · N^{line.exponent:.4f}, R² {line.r2:.4f} on log-log axes over"
        f" {len(params)} runs, each moved along the law to {format_size(middle)} tokens."
    )
    compute = np.array([6.0 * cell.params * cell.num_tokens for cell in arch.cells])
    means = np.array([cell.bits_per_byte.mean for cell in arch.cells])
    best = law.frontier(compute, means)
    if best.sum() < 3:
        yield f"- L(C): {best.sum()} point(s) on the frontier of compute; a line needs 3."
        return
    line = fit.power_law(compute[best], means[best])
    yield (
        f"- L(C) = {line.scale:.4g} · C^{line.exponent:.4f}, C = 6·N·D FLOP, R² {line.r2:.4f} over"
        f" the {best.sum()} sizes and budgets that none with less compute beats."
    )


def _budgets(arch: ArchResults, laws: Laws) -> Iterator[str]:
    rows = []
    for minutes in sorted({*arch.measured, *arch.predicted}):
        one = arch.measured.get(minutes) or arch.predicted[minutes]
        by_ratio = law.ratio_size(laws.speed, minutes)
        loss = float(law.time_loss(laws.loss, laws.speed, by_ratio, 60 * minutes))
        rows.append(
            {
                "minutes": f"{minutes:g}",
                "": "measured" if minutes in arch.measured else "predicted",
                "time-optimal size": _size(one),
                "95 %": f"{format_size(one.low)} to {format_size(one.high)}",
                "bits per byte": f"{one.bits_per_byte:.4f}",
                "20 tokens per parameter": format_size(by_ratio),
                "bits per byte there": f"{loss:.4f}",
            }
        )
    yield from ("", "### Budgets, measured and predicted")
    yield from _table(rows)
    if any("*" in row["time-optimal size"] for row in rows):
        yield ""
        yield "\\* at or beyond the end of the swept sizes: extrapolated by the laws."


def _predictions_checked(laws: Laws, runs: Sequence[Summary]) -> Iterator[str]:
    """Runs that the laws were not fitted to, against their predictions."""
    rows = []
    for cell in results.cells(runs):
        by_time = float(law.time_loss(laws.loss, laws.speed, cell.params, 60 * cell.minutes))
        by_tokens = float(laws.loss(cell.params, cell.num_tokens))
        mean = cell.bits_per_byte.mean
        rows.append(
            {
                "minutes": f"{cell.minutes:g}",
                "size": format_size(cell.params),
                "n": str(cell.bits_per_byte.n),
                "measured": _score(cell),
                "predicted": f"{by_time:.4f}",
                "error": f"{by_time / mean - 1:+.2%}",
                "error at the tokens it saw": f"{by_tokens / mean - 1:+.2%}",
            }
        )
    yield from ("", "### Predictions checked")
    yield from _table(rows)


def _comparison(found: Results) -> Iterator[str]:
    rows = []
    for minutes in sorted({m for arch in found.archs for m in arch.minutes}):
        best = {
            arch.arch: min(mine, key=lambda cell: cell.bits_per_byte.mean)
            for arch in found.archs
            if (mine := [cell for cell in arch.cells if cell.minutes == minutes])
        }
        raced = [arch for arch in found.archs if arch.arch in best]
        leader = min(raced, key=lambda one: (one.is_bound, best[one.arch].bits_per_byte.mean))
        for arch in raced:
            one, cell = arch.measured.get(minutes), best[arch.arch]
            rows.append(
                {
                    "minutes": f"{minutes:g}",
                    "architecture": sanitize(arch.arch) + (" ←" if arch is leader else ""),
                    "best size raced": format_size(cell.params),
                    "bits per byte": _score(cell, arch.is_bound),
                    "time-optimal": _size(one) if one else "-",
                    "bits per byte by the fit": f"{one.bits_per_byte:.4f}" if one else "-",
                }
            )
    yield from ("", "## Across architectures")
    yield from _table(rows)
    yield from ("", "← leads at this budget. Bounds (≤) never lead over exact scores.")
