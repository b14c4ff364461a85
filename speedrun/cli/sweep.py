"""The command `sweep`: its options, and what it does with them."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from speedrun.text import StrictInt

if TYPE_CHECKING:
    from speedrun.sweep.grid import Grid

MAX_SEEDS = 100
PLACES = ("local", "ray")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Races:
    """Which races a sweep consists of.

    Parameters
    ----------
    arch
        Architectures, parted by commas.
    params
        Sizes in ascending order, parted by commas. Laws need at least four.
    minutes
        Training budgets in ascending order, parted by commas.
    seeds
        Seeds 0, 1, … of every size and budget.
    backend
        As for a race; the same for all runs.
    recipe
        As for a race.
    data
        As for a race.
    vocab
        As for a race.
    eval_docs
        As for a race.
    set_
        Change one setting of all races: --set recipe.lr=0.002. Repeatable.
    tune
        As for a race; each size is timed once.
    out
        The sweep's folder. Default: sweeps/ and the name of the first architecture.
    """

    arch: str = "transformer"
    params: str = "250K,500K,1M,2M,4M,8M"
    minutes: str = "1"
    seeds: StrictInt = 3
    backend: str = "auto"
    recipe: str = "default"
    data: str | None = None
    vocab: StrictInt = 4096
    eval_docs: str = "2000"
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None
    tune: Literal["off", "quick", "full"] = "quick"
    out: Path | None = None

    def grid(self) -> "Grid":
        """Raises ValueError for what cannot be meant."""
        from speedrun.config import Data
        from speedrun.sweep.grid import Grid
        from speedrun.text import parse_eval_docs, parse_sizes

        if not 1 <= self.seeds <= MAX_SEEDS:
            raise ValueError(f"--seeds {self.seeds}: allowed are 1 to {MAX_SEEDS}")
        archs = tuple(name.strip() for name in self.arch.split(",") if name.strip())
        if not archs or len(set(archs)) < len(archs):
            raise ValueError(f"--arch {self.arch}: give different architectures, parted by commas")
        eval_docs = parse_eval_docs(self.eval_docs)
        return Grid(
            archs=archs,
            params=parse_sizes(self.params),
            minutes=_minutes(self.minutes, "--minutes"),
            num_seeds=self.seeds,
            backend=self.backend,
            recipe=self.recipe,
            data=Data(path=self.data, vocab=self.vocab, eval_docs=eval_docs),
            settings=tuple(self.set_ or ()),
            tune=self.tune,
            out=self.out or Path("sweeps") / Path(archs[0]).name,
        )


def sweep(
    *,
    races: Races | None = None,
    report: Path | None = None,
    check: Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)] = None,
    hold_out_minutes: str | None = None,
    racing: Annotated[bool, Parameter(negative="")] = False,
    on: str = "local",
    address: str | None = None,
) -> None:
    """Race many sizes, find the time-optimal one and the laws behind it: see `speedrun.cli.app`.

    Parameters
    ----------
    report
        Race nothing: write the report of the sweep in this folder, whole or not.
    check
        Runs, or folders of them, to compare with what the laws predict.
    hold_out_minutes
        Budgets that are kept out of the fits and compared with their predictions.
    racing
        Fast lane: stop races that cannot win any more by their curve against finished ones.
    on
        Where to race: local, or ray, a race on every machine or GPU of a Ray cluster at a time.
    address
        With --on ray: host:port of the cluster's head; by default the one this machine is in.
    """
    _check_place(on, address)
    held_out = _minutes(hold_out_minutes, "--hold-out-minutes") if hold_out_minutes else ()
    from speedrun.sweep import report as sweep_report

    if report is not None:
        sweep_report.report(report, check or [], held_out)
        return
    grid = (races or Races()).grid()
    num_failed = _race_all(grid, racing, on, address)
    sweep_report.report(grid.out, check or [], held_out, keep=True)
    if num_failed:
        sys.exit(1)


def _race_all(grid: "Grid", is_racing: bool, on: str, address: str | None) -> int:
    """Race what is left; how many failed. Leaves with exit code 130 when stopped."""
    from rich.console import Console

    from speedrun.sweep import sweep_dir as sweep_folder
    from speedrun.sweep.executor import run_all
    from speedrun.sweep.grid import plan
    from speedrun.sweep.live import outlook, view

    console = Console()
    with contextlib.ExitStack() as opened:
        race_all = run_all
        if on == "ray":
            from speedrun.sweep.ray_executor import connected

            race_all = opened.enter_context(connected(address))
        watcher = opened.enter_context(view(console))
        planned = plan(grid, watcher.notice)
        with sweep_folder.locked(grid.out):
            try:
                state = race_all(planned, watcher, is_racing=is_racing)
            except KeyboardInterrupt:
                line = "stopped; the same command goes on where this one was"
                Console(stderr=True).print(line, style="yellow", soft_wrap=True)
                sys.exit(130)
    if console.is_terminal:  # the table is gone; plain lines have said it
        console.print(outlook(state), soft_wrap=True, highlight=False)
    return len(state.failed)


def _check_place(on: str, address: str | None) -> None:
    if on not in PLACES:
        raise ValueError(f"--on {on}: allowed are {' and '.join(PLACES)}")
    if address is not None and on != "ray":
        raise ValueError(f"--address {address}: only with --on ray")


def _minutes(text: str, option: str) -> tuple[float, ...]:
    from speedrun.text import ascending, parse_minutes

    try:
        budgets = tuple(parse_minutes(part) / 60 for part in text.split(","))
    except ValueError as error:
        raise ValueError(str(error).replace("--minutes", option, 1)) from None
    return ascending(budgets, f"{option} {text}", "budgets such as 1,2,5")
