"""The figures of a sweep as SVG and PNG: the same bytes from the same records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from speedrun.scaling_laws import fit, law
from speedrun.sweep.results import ArchSweep
from speedrun.text import format_size

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "sweep",
    "svg.fonttype": "none",
    "font.size": 10,
    "figure.dpi": 100,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
_WIDE, _HIGH = 7.2, 4.5  # inches


def draw(folder: Path, swept: ArchSweep) -> list[str]:
    """Write all figures of one architecture; their names without an ending."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    written = []
    kinds: dict[str, Callable[[Any, ArchSweep], None]] = {
        "size": _size,
        "loss": _loss,
        "speed": _speed,
        "residuals": _residuals,
    }
    for kind, plot in kinds.items():
        name = f"{swept.arch}-{kind}"
        with matplotlib.rc_context(_STYLE):
            figure, axes = pyplot.subplots(figsize=(_WIDE, _HIGH), layout="constrained")
            axes.set_xscale("log")
            axes.set_xlabel("trainable parameters N")
            plot(axes, swept)
            axes.xaxis.set_major_formatter(lambda value, _: format_size(value))
            axes.set_xticks(sorted({cell.params for cell in swept.cells}))
            axes.minorticks_off()
            for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                figure.savefig(folder / f"{name}.{ending}", metadata=metadata)
            pyplot.close(figure)
        written.append(name)
    return written


def _sizes(swept: ArchSweep) -> Any:
    params = [cell.params for cell in swept.cells]
    return np.geomspace(min(params), max(params), 200)


def _size(axes: Any, swept: ArchSweep) -> None:
    """Bits per byte against N, a curve a budget, its minimum and interval."""
    laws = swept.laws
    assert laws is not None
    sizes = _sizes(swept)
    for number, minutes in enumerate(swept.minutes):
        colour = _COLOURS[number % len(_COLOURS)]
        rows = [row for row in swept.rows if row.budget_s == 60 * minutes]
        axes.plot(
            [row.num_params for row in rows],
            [row.bits_per_byte for row in rows],
            "o",
            color=colour,
            alpha=0.7,
            markersize=4,
        )
        curve = law.time_loss(laws.loss, laws.speed, sizes, 60 * minutes)
        axes.plot(sizes, curve, color=colour, label=f"{minutes:g} min")
        if (one := swept.measured.get(minutes)) is not None:
            level = float(law.time_loss(laws.loss, laws.speed, one.params, 60 * minutes))
            text = f"{format_size(one.params)} ({format_size(one.low)} to {format_size(one.high)})"
            axes.hlines(level, one.low, one.high, color=colour, linewidth=6, alpha=0.3)
            axes.plot([one.params], [level], "D", color=colour, markersize=7)
            axes.annotate(
                one.advice or text,
                (one.params, level),
                textcoords="offset points",
                xytext=(0, -16),
                ha="center",
                color=colour,
            )
    axes.margins(y=0.15)
    axes.set_ylabel("held-out bits per byte")
    axes.set_title(f"{swept.arch}: which size for which budget")
    axes.legend()


def _loss(axes: Any, swept: ArchSweep) -> None:
    """L(N) at equal tokens on log-log axes."""
    laws = swept.laws
    assert laws is not None
    params, losses, middle = swept.equal_tokens()
    line, sizes = fit.power_law(params, losses), _sizes(swept)
    axes.plot(params, losses, "o", color=_COLOURS[0], alpha=0.7, markersize=4, label="runs")
    axes.plot(sizes, laws.loss(sizes, middle), color=_COLOURS[0], label="L(N, D)")
    axes.plot(
        sizes,
        line.scale * sizes**line.exponent,
        "--",
        color=_COLOURS[1],
        label=f"N^{line.exponent:.3f}, R² {line.r2:.3f}",
    )
    _few_ticks(axes, "{:.3g}")
    axes.set_ylabel(f"bits per byte, moved to {format_size(middle)} tokens")
    axes.set_title(f"{swept.arch}: loss at equal tokens")
    axes.legend()


def _few_ticks(axes: Any, form: str) -> None:
    """A logarithmic axis upwards with ticks even where it spans less than a decade."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_yticks(np.geomspace(low, high, 6))
    axes.yaxis.set_major_formatter(lambda value, _: form.format(value))


def _speed(axes: Any, swept: ArchSweep) -> None:
    laws = swept.laws
    assert laws is not None
    sizes = _sizes(swept)
    points = laws.points
    axes.plot(points.params, points.tokens_per_s, "o", color=_COLOURS[0], alpha=0.7, markersize=4)
    axes.plot(sizes, laws.speed.tokens_per_s(sizes), color=_COLOURS[0])
    _few_ticks(axes, "{:,.0f}")
    axes.set_ylabel("training tokens per second")
    axes.set_title(f"{swept.arch}: speed")


def _residuals(axes: Any, swept: ArchSweep) -> None:
    laws = swept.laws
    assert laws is not None
    points, residuals = laws.points, 100 * laws.residuals
    for number, minutes in enumerate(swept.minutes):
        mine = np.isclose(points.budget_s, 60 * minutes)
        axes.plot(
            points.params[mine],
            residuals[mine],
            "o",
            alpha=0.7,
            markersize=4,
            color=_COLOURS[number % len(_COLOURS)],
            label=f"{minutes:g} min",
        )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("measured over L(N, D), per cent")
    axes.set_title(f"{swept.arch}: residuals of the loss")
    axes.legend()
