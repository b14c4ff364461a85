"""The command `resume`: goes on with a race from its checkpoint."""

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

    from speedrun.cli.race import conclude, leave
    from speedrun.training import distributed
    from speedrun.training.checkpoints import resume
    from speedrun.training.clock import process_age_s
    from speedrun.training.race import race
    from speedrun.training.signals import StopFlag
    from speedrun.ui import estimate, live, trackers
    from speedrun.ui.estimate import Progress

    console = Console(stderr=options.json_)
    resumption = resume.load(run)
    tracker = trackers.tracker(options.track, resumption.folder.parent)
    joined = distributed.as_rank_0(resumption.request())
    with joined as (request, group), StopFlag(group.stop_signals) as stop:
        stop.begin(f"{run} is as it was: the same command resumes it")
        started_s = process_age_s()
        expected = estimate.of_race(request, spent_s=resumption.progress.spent_s)
        progress = Progress(expected, started_s)
        with live.view(console, request.out, progress) as view, tracker.beside(view) as told:
            view.notice(resumption.describe())
            view.notice(str(expected))
            where = {"started_s": started_s, "group": group, "resumed": resumption}
            finished = race(request, told, stop, **where)
            tracker.finish(finished.record)
        conclude(finished, stop, console, as_json=options.json_)
        leave([finished.record], stop)
