"""The command `resume`: goes on with a race from its checkpoint."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from speedrun.cli.options import Json


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options of `resume`.

    Parameters
    ----------
    track
        As for a race.
    json_
        Print only the record on standard output, as one line of JSON.
    """

    track: str | None = None
    json_: Json = False


_DEFAULTS = ResumeOptions()


def resume(
    run: Annotated[Path, Parameter(help="Folder of the run.")],
    /,
    options: ResumeOptions = _DEFAULTS,
) -> None:
    """Go on with a race from its last checkpoint, with the budget that is left."""
    from rich.console import Console

    from speedrun.training import distributed
    from speedrun.training.checkpoints import resume
    from speedrun.training.clock import process_age_s
    from speedrun.training.race import race
    from speedrun.training.signals import StopFlag
    from speedrun.ui import live, summary, trackers

    console = Console(stderr=options.json_)
    resumption = resume.load(run)
    tracker = trackers.tracker(options.track, resumption.folder.parent)
    request, group = distributed.join(resumption.request())
    if group.rank > 0:
        distributed.take_part_and_exit(request, group)
    distributed.ignore_launcher(group)
    with distributed.dismissing(group), StopFlag(group.stop_signals) as stop:
        stop.begin(f"{run} is as it was: the same command resumes it")
        with live.view(console, request.out) as view, tracker.beside(view) as told:
            view.notice(resumption.describe())
            where = {"started_s": process_age_s(), "group": group, "resumed": resumption}
            finished = race(request, told, stop, **where)
            tracker.finish(finished.record)
        stop.begin(f"recorded as {finished.record.status} in {finished.folder}")
        if options.json_:
            print(json.dumps(json.loads(finished.record.to_json())), flush=True)
        summary.finished(console, finished.record, finished.folder)
        if stop.requested:
            raise KeyboardInterrupt
        if finished.record.status != "complete":
            sys.exit(1 if finished.record.status == "diverged" else 130)
