"""The figures of a sweep as SVG and PNG: the same bytes from the same records."""

from pathlib import Path
from typing import Any

import numpy as np

from speedrun.scaling_laws import fit, law
from speedrun.scaling_laws.law import Laws
from speedrun.sweep.results import ArchResults
from speedrun.text import format_size

_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]  # Okabe and Ito
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
_DOTS = {"marker": "o", "linestyle": "", "alpha": 0.7, "markersize": 4}


def draw(folder: Path, arch: ArchResults, laws: Laws) -> list[str]:
    """Write all figures of one architecture; returns their names without an ending."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = {
        "size": (_size, "which size for which budget"),
        "loss": (_loss, "loss at equal tokens"),
        "speed": (_speed, "speed"),
        "residuals": (_residuals, "residuals of the loss"),
    }
    for kind, (plot, title) in kinds.items():
        with matplotlib.rc_context(_STYLE):
            figure, axes = pyplot.subplots(layout="constrained")
            axes.set_xscale("log")
            axes.set_xlabel("trainable parameters N" + ", tables apart" * bool(arch.tables))
            axes.set_ylabel(plot(axes, arch, laws))
            axes.set_title(f"{arch.label}: {title}")
            axes.xaxis.set_major_formatter(lambda value, _: format_size(value))
            axes.set_xticks(sorted({cell.params for cell in arch.cells}))
            axes.minorticks_off()
            for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                figure.savefig(folder / f"{arch.slug}-{kind}.{ending}", metadata=metadata)
            pyplot.close(figure)
    return [f"{arch.slug}-{kind}" for kind in kinds]


def _size(axes: Any, arch: ArchResults, laws: Laws) -> str:
    """Bits per byte against N: a curve per budget, its minimum and interval."""
    sizes = np.geomspace(*laws.swept, 200)
    for number, minutes in enumerate(arch.minutes):
        colour = f"C{number}"
        runs = [run for run in arch.runs if run.budget_s == 60 * minutes]
        scores = [run.bits_per_byte for run in runs]
        axes.plot([run.num_params for run in runs], scores, color=colour, **_DOTS)
        curve = law.time_loss(laws.loss, laws.speed, sizes, 60 * minutes)
        axes.plot(sizes, curve, color=colour, label=f"{minutes:g} min")
        if (one := arch.measured.get(minutes)) is not None:
            level = float(law.time_loss(laws.loss, laws.speed, one.params, 60 * minutes))
            text = f"{format_size(one.params)} ({format_size(one.low)} to {format_size(one.high)})"
            axes.hlines(level, one.low, one.high, color=colour, linewidth=6, alpha=0.3)
            axes.plot([one.params], [level], "D", color=colour, markersize=7)
            axes.annotate(
                laws.advice(one) or text,
                (one.params, level),
                textcoords="offset points",
                xytext=(0, -16),
                ha="center",
                color=colour,
            )
    axes.margins(y=0.15)
    axes.legend()
    return "held-out bits per byte"


def _loss(axes: Any, arch: ArchResults, laws: Laws) -> str:
    """L(N) at equal tokens on log-log axes."""
    params, losses, middle = laws.equal_tokens()
    line, sizes = fit.power_law(params, losses), np.geomspace(*laws.swept, 200)
    axes.plot(params, losses, color="C0", label="runs", **_DOTS)
    axes.plot(sizes, laws.loss(sizes, middle), color="C0", label="L(N, D)")
    label = f"N^{line.exponent:.3f}, R² {line.r2:.3f}"
    axes.plot(sizes, line.scale * sizes**line.exponent, "--", color="C1", label=label)
    _few_ticks(axes, "{:.3g}")
    axes.legend()
    return f"bits per byte, moved to {format_size(middle)} tokens"


def _speed(axes: Any, arch: ArchResults, laws: Laws) -> str:
    sizes = np.geomspace(*laws.swept, 200)
    axes.plot(laws.points.params, laws.points.tokens_per_s, color="C0", **_DOTS)
    axes.plot(sizes, laws.speed.tokens_per_s(sizes), color="C0")
    _few_ticks(axes, "{:,.0f}")
    return "training tokens per second"


def _residuals(axes: Any, arch: ArchResults, laws: Laws) -> str:
    """Deviation of each run from the law, a colour per budget."""
    points, residuals = laws.points, 100 * laws.residuals
    for minutes in arch.minutes:
        mine = np.isclose(points.budget_s, 60 * minutes)
        axes.plot(points.params[mine], residuals[mine], label=f"{minutes:g} min", **_DOTS)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend()
    return "measured over L(N, D), per cent"


def _few_ticks(axes: Any, form: str) -> None:
    """Make y logarithmic, with ticks even where it spans less than a decade."""
    axes.set_yscale("log")
    axes.set_yticks(np.geomspace(*axes.get_ylim(), num=6))
    axes.yaxis.set_major_formatter(lambda value, _: form.format(value))
