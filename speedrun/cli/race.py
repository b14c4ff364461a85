"""The command `race`: one run after another, shown as they go."""

import dataclasses
import json
import sys
from collections.abc import Iterable

from rich.console import Console

from speedrun.cli.options import RaceOptions
from speedrun.distributed import launcher
from speedrun.distributed.group import ProcessGroup
from speedrun.records.schema import Record
from speedrun.training import distributed
from speedrun.training.clock import process_age_s
from speedrun.training.race import Finished, race
from speedrun.training.request import RunRequest
from speedrun.training.signals import StopFlag
from speedrun.ui import estimate, live, places, summary, trackers
from speedrun.ui.estimate import Progress
from speedrun.ui.trackers import Tracker


def race_command(options: RaceOptions) -> None:
    """Race one seed after another and show how each ended."""
    request, tracker = options.request(), trackers.tracker(options.track, options.out)
    console = Console(stderr=options.json_)  # --json: standard output carries the record alone
    if "auto" in (request.arch, request.params, request.tables):
        request = _picked(request, console)
    with distributed.as_rank_0(request) as (request, group):
        _race_seeds(request, options, group, console, tracker)


def _picked(request: RunRequest, console: Console) -> RunRequest:
    from speedrun.scaling_laws import auto_size  # SciPy takes seconds to load

    if (started := launcher.launched()) is not None:
        raise ValueError(
            f"auto knows one device, and {started.by} started {started.size} processes:"
            " name the architecture and give --params a size"
        )
    with live.view(console) as view:
        picked = auto_size.resolve_auto(request, view.notice)
    return dataclasses.replace(
        request, arch=picked.arch, params=picked.params, tables=picked.tables
    )


def _race_seeds(
    request: RunRequest,
    options: RaceOptions,
    group: ProcessGroup,
    console: Console,
    tracker: Tracker,
) -> None:
    started_s, records = process_age_s(), []
    progress = Progress(estimate.of_race(request, options.seeds), started_s)
    with StopFlag(group.stop_signals) as stop:
        for number in range(request.seed, request.seed + options.seeds):
            each = dataclasses.replace(request, seed=number)
            stop.begin(_so_far(records, request))
            with live.view(console, request.out, progress) as view, tracker.beside(view) as told:
                if records:
                    progress.next_race()
                else:
                    view.notice(str(progress.estimate))
                finished = race(each, told, stop, started_s=started_s, group=group)
                tracker.finish(finished.record)
            started_s = 0.0
            records.append(finished.record)
            conclude(finished, stop, console, as_json=options.json_)
            if stop.requested:
                break
        if len(records) > 1:
            summary.seeds(console, records)
        leave(records, stop)


def conclude(finished: Finished, stop: StopFlag, console: Console, *, as_json: bool) -> None:
    """Show how a race ended, which no signal undoes."""
    stop.begin(places.ended(finished.record, finished.folder))
    if as_json:
        print(json.dumps(json.loads(finished.record.to_json())), flush=True)
    summary.finished(console, finished.record, finished.folder)


def leave(records: Iterable[Record], stop: StopFlag) -> None:
    """Exit with the code that these races call for; return where all are complete."""
    statuses = {record.status for record in records}
    if stop.requested:
        raise KeyboardInterrupt
    if "diverged" in statuses:
        sys.exit(1)
    if "interrupted" in statuses:  # by the network or the disk, that is
        sys.exit(130)


def _so_far(records: list[Record], request: RunRequest) -> str:
    """State of the races that a signal before the end of the next training leaves."""
    if not records:
        return "nothing was recorded"
    first, last = records[0].seed, records[-1].seed
    done = f"seed {first} is" if first == last else f"seeds {first} to {last} are"
    return f"{done} recorded in {request.out}, and nothing of seed {last + 1}"
