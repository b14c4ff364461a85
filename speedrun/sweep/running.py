"""All races of a grid, planned, raced where they are to be, and shown."""

import contextlib

from rich.console import Console

from speedrun.sweep.executor import run_all
from speedrun.sweep.grid import Grid, plan
from speedrun.sweep.live import outlook, view
from speedrun.sweep.sweep_dir import locked


def race_all(
    grid: Grid,
    console: Console,
    *,
    early_stop: bool = False,
    on: str = "local",
    address: str | None = None,
) -> int:
    """Run the races that are left; returns the number that failed.

    `on` is local, or ray: the cluster whose head is at `address`.
    """
    with contextlib.ExitStack() as opened:
        race_all = run_all
        if on == "ray":
            from speedrun.sweep.ray_executor import connected

            race_all = opened.enter_context(connected(address))
        watcher = opened.enter_context(view(console))
        watcher.phase("opening the data and planning the races")
        planned = plan(grid, watcher.notice)
        with locked(grid.base.out):
            state = race_all(planned, watcher, early_stop=early_stop)
    if console.is_terminal:  # what was drawn is gone; plain lines have said it
        console.print(outlook(state), soft_wrap=True, highlight=False)
    return len(state.failed)
