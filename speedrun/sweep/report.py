"""The report of a sweep, from the runs in its directory: Markdown, figures and `laws.json`.

The text of the page is in `report.md.jinja`.
"""

import functools
import statistics
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from speedrun.records.sanitize import sanitize
from speedrun.scaling_laws import fit, law, laws_file
from speedrun.scaling_laws.laws_file import LAWS
from speedrun.sweep import figures, results
from speedrun.sweep.budget import Cell, cells
from speedrun.sweep.figures import Figure
from speedrun.sweep.results import ArchResults, Results
from speedrun.system.files import write_atomic
from speedrun.text import format_size

REPORT = "report.md"


def report(
    folder: Path,
    held_out_minutes: Sequence[float] = (),
    *,
    cache_laws: bool = False,
    console: Console | None = None,
) -> None:
    """Write and print the report of a sweep; `cache_laws` keeps its laws for later races.

    Runs of `held_out_minutes` are compared with their predictions.
    """
    console = console or Console()
    found = results.read(folder, held_out_minutes)
    try:
        _write_laws(folder, found, cache_laws=cache_laws)
        drawn = [figure for arch in found.archs for figure in figures.draw(folder, arch)]
        text = _markdown(found, drawn)
        write_atomic(folder / REPORT, text)
    except OSError as error:
        raise ValueError(f"{folder}: cannot write there ({error.strerror})") from None
    console.print(Markdown(text) if console.is_terminal else text, soft_wrap=True, markup=False)
    console.print(Text(sanitize(f"written to {folder / REPORT}")), soft_wrap=True)


def _write_laws(folder: Path, found: Results, *, cache_laws: bool) -> None:
    fitted = [(one, one.laws) for one in found.archs if one.laws is not None]
    for number, (arch, laws) in enumerate(fitted):
        file = arch.laws_file(laws)
        if len(fitted) > 1:
            write_atomic(folder / f"laws-{arch.slug}.json", file.to_json())
        if number == 0:
            write_atomic(folder / LAWS, file.to_json())
        if cache_laws:
            laws_file.cache(folder, file)


def _markdown(found: Results, drawn: Sequence[Figure]) -> str:
    def best_of(minutes: float) -> list[tuple[ArchResults, Cell, bool]]:
        """Each architecture's best size at a budget, and whether it leads."""
        best = [
            (arch, arch.budgets[minutes].best) for arch in found.archs if minutes in arch.budgets
        ]
        leader, _ = min(best, key=lambda one: (one[0].is_bound, one[1].bits_per_byte.mean))
        return [(arch, cell, arch is leader) for arch, cell in best]

    return _template().render(
        archs=found.archs,
        left_out=found.left_out,
        notes=found.notes,
        failures=found.failures,
        figures=drawn,
        cells=cells,
        best_of=best_of,
        median=statistics.median,
        min_sizes=fit.MIN_SIZES,
        prior=fit.PRIOR,
        prior_sd=fit.PRIOR_SD,
        power_law=fit.power_law,
        ratio_size=law.ratio_size,
        time_loss=law.time_loss,
    )


@functools.cache
def _template() -> Template:
    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters.update(size=format_size, sanitize=sanitize, f=format)
    return jinja.get_template("report.md.jinja")
