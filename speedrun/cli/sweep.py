"""The command `sweep`: its options and its exit codes."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from speedrun.text import StrictInt, ascending, parse_minutes, parse_sizes, parse_tables
from speedrun.training.options import (
    ARCH,
    DATA,
    DEVICE,
    EVAL_DOCS,
    FLAG,
    PARAMS,
    RECIPE,
    SET,
    TEXT_FIELD,
    TUNE,
    VOCAB,
)

if TYPE_CHECKING:
    from speedrun.sweep.grid import Grid

PLACES = ("local", "ray")
_SIZES = "Sizes in ascending order, comma-separated. Laws need at least four."
_VARY = "Race every size with each of these values: recipe.lr=0.005,0.01. Repeatable."
_RACES = Group("Races", sort_key=1)
_EVERY = Group("Every race", sort_key=2)
_DATA = Group("Data", sort_key=3)
_WHERE = Group("Where to race", sort_key=4)
_OUTPUT = Group("Output", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Races:
    """The races of a sweep; options without a description are those of a race.

    Parameters
    ----------
    tables
        Parameters beside each size, in tables of n-grams, in ascending order: 0,4M,16M.
    minutes
        Training budgets in ascending order, comma-separated.
    seeds
        Number of seeds (0, 1, …) of every size and budget.
    early_stopping
        Stop races that cannot win any more, by their curve against finished ones.
    out
        The sweep's directory. Default: sweeps/ and the name of the first architecture.
    """

    arch: Annotated[str, ARCH, Parameter(help="Architectures, comma-separated.", group=_RACES)] = (
        "transformer"
    )
    params: Annotated[str, PARAMS, Parameter(help=_SIZES, group=_RACES)] = "250K,500K,1M,2M,4M,8M"
    tables: Annotated[str, Parameter(group=_RACES)] = "0"
    vary: Annotated[tuple[str, ...], SET, Parameter(name="--vary", help=_VARY, group=_RACES)] = ()
    minutes: Annotated[str, Parameter(group=_RACES)] = "1"
    seeds: Annotated[StrictInt, Parameter(group=_RACES)] = 3
    early_stopping: Annotated[
        bool, FLAG, Parameter(name=("--early-stopping", "--racing"), group=_RACES)
    ] = False
    recipe: Annotated[str, RECIPE, Parameter(group=_EVERY)] = "default"
    set_: Annotated[tuple[str, ...], SET, Parameter(group=_EVERY)] = ()
    device: Annotated[str, DEVICE, Parameter(group=_EVERY)] = "auto"
    tune: Annotated[Literal["off", "quick", "full"], TUNE, Parameter(group=_EVERY)] = "quick"
    data: Annotated[str | None, DATA, Parameter(group=_DATA)] = None
    text_field: Annotated[str | None, TEXT_FIELD, Parameter(group=_DATA)] = None
    vocab: Annotated[StrictInt, VOCAB, Parameter(group=_DATA)] = 4096
    eval_docs: Annotated[str, EVAL_DOCS, Parameter(group=_DATA)] = "2000"
    out: Annotated[Path | None, Parameter(group=_OUTPUT)] = None

    def grid(self) -> "Grid":
        """The sweep's grid; raises ValueError for options out of range."""
        from speedrun.api.options import request_of
        from speedrun.sweep.grid import Grid, variants

        archs = tuple(name.strip() for name in self.arch.split(",") if name.strip())
        if not archs:
            raise ValueError(f"--arch {self.arch}: give different architectures, comma-separated")
        shared = ("device", "recipe", "data", "text_field", "vocab", "eval_docs", "tune")
        base = request_of(
            set=self.set_,
            out=self.out or Path("sweeps") / Path(archs[0]).name,
            **{name: getattr(self, name) for name in shared},
        )
        return Grid(
            archs=archs,
            params=parse_sizes(self.params),
            tables=parse_tables(self.tables),
            variants=variants(self.vary),
            minutes=_minutes(self.minutes, "--minutes"),
            num_seeds=self.seeds,
            base=base,
        )


def sweep(
    *,
    races: Races | None = None,
    report: Annotated[Path | None, Parameter(group=_OUTPUT)] = None,
    hold_out_minutes: Annotated[str | None, Parameter(group=_OUTPUT)] = None,
    on: Annotated[str, Parameter(group=_WHERE)] = "local",
    address: Annotated[str | None, Parameter(group=_WHERE)] = None,
) -> None:
    """Race many sizes, find the time-optimal one and the laws behind it: see `speedrun.cli.app`.

    Parameters
    ----------
    report
        Race nothing: write the report of the sweep in this directory, finished or not.
    hold_out_minutes
        Budgets that are kept out of the fits and compared with their predictions.
    on
        Where to race: local, or ray, one race at a time on every machine or GPU of a Ray cluster.
    address
        With --on ray: host:port of the cluster's head. Default: the cluster of this machine.
    """
    if on not in PLACES:
        raise ValueError(f"--on {on}: allowed are {' and '.join(PLACES)}")
    if address is not None and on != "ray":
        raise ValueError(f"--address {address}: only with --on ray")
    held_out = _minutes(hold_out_minutes, "--hold-out-minutes") if hold_out_minutes else ()
    from speedrun.sweep import report as sweep_report

    if report is not None:
        sweep_report.report(report, held_out)
        return
    races = races or Races()
    grid = races.grid()
    from rich.console import Console

    from speedrun.sweep.running import race_all

    stops = races.early_stopping
    num_failed = race_all(grid, Console(), early_stop=stops, on=on, address=address)
    sweep_report.report(grid.base.out, held_out, cache_laws=True)
    if num_failed:
        sys.exit(1)


def _minutes(text: str, option: str) -> tuple[float, ...]:
    try:
        budgets = tuple(parse_minutes(part) / 60 for part in text.split(","))
    except ValueError as error:
        raise ValueError(str(error).replace("--minutes", option, 1)) from None
    return ascending(budgets, f"{option} {text}", "budgets such as 1,2,5")
