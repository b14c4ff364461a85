"""Python interface: races, duels, sweeps and boards as functions, finished runs as values.

    from speedrun import race

    run = race(minutes=0.5, params="250K", data="storybook")
    run.bits_per_byte, run.sample("One day"), run.plot()

Options are those of the command line, by the names of its `--options`, and mean the same there;
what is wrong raises ValueError or LookupError with the line that the command would print. Nothing
heavy is imported before it is needed.
"""

import contextlib
import dataclasses
import importlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from speedrun.api.options import (
    Options,
    RaceOptions,
    SweepOptions,
    expect_known,
    request_of,
    several,
)
from speedrun.api.values import DuelResult, Run, SweepResult
from speedrun.api.values import load as load
from speedrun.training.callbacks import Callbacks

if TYPE_CHECKING:
    from rich.console import Console

    from speedrun.training.runs.restore import Restored
    from speedrun.training.signals import StopFlag


def race(
    *, callbacks: Sequence[Callbacks] = (), show: bool = True, **options: Unpack[RaceOptions]
) -> Run:
    """Train for some minutes, score, tell a story, leave a run folder.

    `callbacks` are told how it goes (subclass `speedrun.Callbacks`), `show` prints it, too. Ctrl-C
    ends training early and keeps the run.
    """
    from speedrun.training.race import race as raced
    from speedrun.ui import estimate, trackers
    from speedrun.ui.estimate import Progress
    from speedrun.ui.live import view

    request = request_of(**options)
    tracker = trackers.tracker(options.get("track"), request.out)
    progress = Progress(estimate.of_race(request))
    with _stop_flag() as stop, view(_console(show), request.out, progress) as shown:
        shown.notice(str(progress.estimate))
        if "auto" in (request.arch, request.params, request.tables):
            from speedrun.scaling_laws import auto_size  # SciPy takes seconds to load

            request = auto_size.resolve_auto(request, shown.notice)
        stop.begin("nothing was recorded")
        with tracker.beside(shown, *callbacks) as told:
            finished = raced(request, told, stop)
            tracker.finish(finished.record)
    return Run(finished.folder, finished.record)


def resume(folder: str | Path, *, callbacks: Sequence[Callbacks] = (), show: bool = True) -> Run:
    """Go on with a race that was stopped or killed, from its last checkpoint."""
    from speedrun.training.callbacks import Several
    from speedrun.training.checkpoints import resume as resumes
    from speedrun.training.race import race as raced
    from speedrun.ui import estimate
    from speedrun.ui.estimate import Progress
    from speedrun.ui.live import view

    resumption = resumes.load(Path(folder))
    request = resumption.request()
    progress = Progress(estimate.of_race(request, spent_s=resumption.progress.spent_s))
    with _stop_flag() as stop, view(_console(show), request.out, progress) as shown:
        stop.begin(f"{folder} is as it was")
        told = Several(shown, *callbacks)
        finished = raced(request, told, stop, resumed=resumption)
    return Run(finished.folder, finished.record)


def duel(
    a: str | Path = "default", b: str | Path = "default", *, show: bool = True, **options: Any
) -> DuelResult:
    """Race two sides in turn until it is clear whether one is better; the same call resumes.

    A side is a recipe, the folder of a run, or an entry's id. Options are those of `duel`, such as
    `set_b={"recipe.lr": 0.02}`, `minutes=1`, `pairs=5`, `params="1M"`, `data=…`.
    """
    from speedrun.config import settings_of

    # By name: the leaderboard imports this package, and never the other way.
    command = importlib.import_module("leaderboard.duel.command")
    wanted = importlib.import_module("leaderboard.duel.options").DuelOptions
    expect_known(options, {field.name.removesuffix("_") for field in dataclasses.fields(wanted)})
    given: dict[str, Any] = {"a": str(a), "b": str(b)}
    for name, value in options.items():
        if name.startswith("set"):
            given["set_" if name == "set" else name] = settings_of(value)
        else:
            given[name] = value if isinstance(value, bool) or name == "pairs" else str(value)
    if "out" in given:
        given["out"] = Path(given["out"])
    held = command.held(wanted(**given), _console(show))
    return DuelResult(held.folder.path, held.result)


def sweep(*, show: bool = True, **options: Unpack[SweepOptions]) -> SweepResult:
    """Race many sizes, find the time-optimal one and the laws; the same call resumes."""
    from speedrun import text
    from speedrun.sweep import report, running
    from speedrun.sweep.grid import Grid, variants

    expect_known(options, SweepOptions.__annotations__.keys())
    shared = {name: options[name] for name in Options.__annotations__ if name in options}
    archs = tuple(map(str, several(options.get("arch", "transformer"))))
    shared.setdefault("out", Path("sweeps") / Path(archs[0]).name)
    sizes = several(options.get("params", "250K,500K,1M,2M,4M,8M"))
    tables, minutes = several(options.get("tables", 0)), several(options.get("minutes", 1.0))
    if not isinstance(varied := options.get("vary", {}), Mapping):
        raise ValueError(f'vary={varied!r}: give {{"recipe.lr": [0.005, 0.01]}}')
    grid = Grid(
        archs=archs,
        params=text.parse_sizes(",".join(map(str, sizes))),
        tables=text.parse_tables(",".join(map(str, tables))),
        variants=variants([f"{k}={','.join(map(str, several(v)))}" for k, v in varied.items()]),
        minutes=tuple(text.parse_minutes(str(each)) / 60 for each in minutes),
        num_seeds=options.get("seeds", 3),
        base=request_of(**shared),
    )
    console = _console(show)
    num_failed = running.race_all(grid, console, early_stop=options.get("early_stopping", False))
    report.report(grid.base.out, cache_laws=True, console=console)
    return SweepResult(grid.base.out, num_failed)


def leaderboard(store: str | Path | None = None) -> list[dict[str, Any]]:
    """The tracks of a store, as `leaderboard --format json` gives them."""
    url = None if store is None else str(store)
    found = importlib.import_module("leaderboard.boards").read(url)
    return importlib.import_module("leaderboard.render.json").boards(*found)["tracks"]


def restored(run: str, store: str | None, device: str, arch: str | None = None) -> "Restored":
    """The model of a run: of its folder, `hf://user/name`, or an id of a store with weights."""
    from speedrun.training.runs.fetch import folder_of

    folder = folder_of(run)
    if folder.is_dir():
        from speedrun.training.runs.restore import load_run

        return load_run(folder, device, arch)
    found = importlib.import_module("leaderboard.store").open_store(store)
    return importlib.import_module("leaderboard.verify.case").restored(run, found, device, arch)


def _console(show: bool) -> "Console":
    from rich.console import Console

    return Console(quiet=not show)


@contextlib.contextmanager
def _stop_flag() -> Iterator["StopFlag"]:
    """Signals are handled by the main thread alone."""
    from signal import SIGINT

    from speedrun.training.signals import StopFlag

    is_main = threading.current_thread() is threading.main_thread()
    with StopFlag((SIGINT,) if is_main else ()) as stop:
        yield stop
