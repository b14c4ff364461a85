"""The figures of a sweep as SVG and PNG: the same bytes from the same records."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speedrun.scaling_laws import fit, law
from speedrun.scaling_laws.law import Laws
from speedrun.sweep.budget import Budget
from speedrun.sweep.results import ArchResults
from speedrun.text import format_size

_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]  # Okabe and Ito
# Series are told apart without colour, too; dots are for fits that the runs do not support.
_MARKERS, _LINES = "osD^vP", ("-", "--", "-.")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "sweep",
    "svg.fonttype": "none",
    "font.size": 10,
    "figure.dpi": 100,
    "figure.figsize": (7.2, 4.5),  # inches
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "axes.prop_cycle": f"cycler(color={_COLOURS})",
}
_ROUND = (1.0, 2.0, 5.0)  # ticks of an axis, times powers of ten
_MIN_TICKS = 2


@dataclass(frozen=True)
class Figure:
    """A figure that was written: its name without an ending, and what it shows in words."""

    name: str
    alt: str


def draw(folder: Path, arch: ArchResults) -> list[Figure]:
    """Write all figures of one architecture: without laws, those that show runs alone."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = {
        "size": (_size, "which size for which budget"),
        "speed": (_speed, "speed"),
        "loss": (_loss, "loss at equal tokens"),
        "residuals": (_residuals, "residuals of the loss"),
    }
    drawn = []
    for kind, (plot, title) in kinds.items():
        if arch.laws is None and kind in ("loss", "residuals"):
            continue
        with matplotlib.rc_context(_STYLE):
            figure, axes = pyplot.subplots(layout="constrained")
            axes.set_xscale("log")
            sizes = "trainable parameters" + ", tables apart" * bool(arch.tables)
            axes.set_xlabel(f"{sizes}, N")
            quantity = plot(axes, arch)
            axes.set_ylabel(quantity)
            axes.set_title(f"{arch.label}: {title}")
            _round_ticks(axes.xaxis, format_size)
            name = f"{arch.slug}-{kind}"
            for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                figure.savefig(folder / f"{name}.{ending}", metadata=metadata)
            pyplot.close(figure)
        drawn.append(Figure(name, f"{arch.label}: {quantity} against {sizes}; {_alt(arch, kind)}"))
    return drawn


def _alt(arch: ArchResults, kind: str) -> str:
    """The finding of a figure in words."""
    if kind == "size":
        return "; ".join(
            f"best at {minutes:g} min: {format_size(budget.best.params)} with"
            f" {budget.best.bits_per_byte.mean:.4f}"
            for minutes, budget in arch.budgets.items()
        )
    if kind == "residuals" and arch.laws is not None:
        return f"at most {np.abs(arch.laws.residuals).max():.1%}"
    low, *_, high = sorted(arch.runs, key=lambda run: run.num_params)
    if kind == "speed":
        return f"from {low.tokens_per_s:,.0f} to {high.tokens_per_s:,.0f}"
    return "runs, and the line through them"


def _series(number: int) -> dict[str, Any]:
    """Colour and marker of the runs of one series."""
    marker = _MARKERS[number % len(_MARKERS)]
    return {
        "color": f"C{number}",
        "marker": marker,
        "linestyle": "",
        "alpha": 0.7,
        "markersize": 5,
        "markerfacecolor": "none",
    }


def _size(axes: Any, arch: ArchResults) -> str:
    """Bits per byte against N: runs and a curve per budget, its minimum and interval."""
    for number, (minutes, budget) in enumerate(arch.budgets.items()):
        runs = [run for cell in budget.cells for run in cell.runs]
        points, style = [run.bits_per_byte for run in runs], _series(number)
        axes.plot([run.num_params for run in runs], points, **style)
        line, note = ("", "") if budget.laws is None else _curve(axes, budget, number)
        axes.plot([], [], **{**style, "linestyle": line}, label=f"{minutes:g} min{note}")
    axes.margins(y=0.15)
    _round_ticks(axes.yaxis, "{:g}".format)
    axes.legend()
    return "held-out bits per byte"


def _curve(axes: Any, budget: Budget, number: int) -> tuple[str, str]:
    """Draw the fit of a budget; returns its line style and a note for the legend."""
    laws, one, colour = budget.laws, budget.optimum, f"C{number}"
    assert laws is not None
    sizes, seconds = np.geomspace(*laws.swept, 200), 60 * budget.minutes
    curve = law.time_loss(laws.loss, laws.speed, sizes, seconds)
    line = ":" if one is None else _LINES[number % len(_LINES)]
    axes.plot(sizes, curve, line, color=colour)
    if one is None:
        return line, ", no optimum supported"
    text = f"{format_size(one.params)} ({format_size(one.low)} to {format_size(one.high)})"
    level = one.bits_per_byte
    axes.hlines(level, one.low, one.high, color=colour, linewidth=6, alpha=0.3)
    axes.plot([one.params], [level], "*", color=colour, markersize=10)
    axes.annotate(
        laws.advice(one) or text,
        (one.params, level),
        textcoords="offset points",
        xytext=(0, -16),
        ha="center",
        color=colour,
    )
    return line, ""


def _loss(axes: Any, arch: ArchResults) -> str:
    """L(N) at equal tokens on log-log axes."""
    laws = _laws(arch)
    params, losses, middle = laws.equal_tokens()
    line, sizes = fit.power_law(params, losses), np.geomspace(*laws.swept, 200)
    axes.plot(params, losses, label="runs", **_series(0))
    axes.plot(sizes, laws.loss(sizes, middle), color="C0", label="L(N, D)")
    label = f"N^{line.exponent:.3f}, R² {line.r2:.3f}"
    axes.plot(sizes, line.scale * sizes**line.exponent, "--", color="C1", label=label)
    axes.set_yscale("log")
    _round_ticks(axes.yaxis, "{:g}".format)
    axes.legend()
    return f"bits per byte, moved to {format_size(middle)} tokens"


def _speed(axes: Any, arch: ArchResults) -> str:
    runs = arch.runs
    axes.plot([r.num_params for r in runs], [r.tokens_per_s for r in runs], **_series(0))
    if arch.laws is not None:
        sizes = np.geomspace(*arch.laws.swept, 200)
        axes.plot(sizes, arch.laws.speed.tokens_per_s(sizes), color="C0")
    axes.set_yscale("log")
    _round_ticks(axes.yaxis, "{:,.0f}".format)
    return "training tokens per second"


def _residuals(axes: Any, arch: ArchResults) -> str:
    """Deviation of each run from the law, a series per budget."""
    laws = _laws(arch)
    points, residuals = laws.points, 100 * laws.residuals
    for number, minutes in enumerate(arch.minutes):
        mine = np.isclose(points.budget_s, 60 * minutes)
        label = f"{minutes:g} min"
        axes.plot(points.params[mine], residuals[mine], label=label, **_series(number))
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend()
    return "measured over L(N, D), per cent"


def _laws(arch: ArchResults) -> Laws:
    assert arch.laws is not None, "a figure of laws"
    return arch.laws


def _round_ticks(axis: Any, form: Any) -> None:
    """Ticks at 1, 2, 5 and 10 of every decade, or at other round numbers where those are few."""
    from matplotlib import ticker

    low, high = sorted(axis.get_view_interval())
    ticks: list[float] = []
    if axis.get_scale() == "log":
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        found = (float(f"{lead}e{decade}") for decade, lead in itertools.product(decades, _ROUND))
        ticks = [one for one in found if low <= one <= high]
    if len(ticks) < _MIN_TICKS:
        steps = [1, 2, 2.5, 5, 10]
        found = ticker.MaxNLocator(6, steps=steps).tick_values(low, high)
        ticks = [float(f"{one:.12g}") for one in found if low <= one <= high]
    axis.set_major_locator(ticker.FixedLocator(ticks))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: form(value)))
