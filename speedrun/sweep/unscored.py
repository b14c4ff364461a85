"""Races of a sweep that were stopped after training: scored, not raced again."""

from speedrun.models import loader
from speedrun.records.files import read_runs
from speedrun.sweep.grid import Plan
from speedrun.training.callbacks import Silent
from speedrun.training.runs.run_names import Notice, settle_abandoned
from speedrun.training.runs.score_later import Request, score_later


def finish(plan: Plan, notice: Notice) -> None:
    """Score the runs of a sweep that are trained; one that cannot be is raced again."""
    settle_abandoned(plan.out, notice)
    for folder, record in read_runs(plan.out):
        race = plan.race_of(record)
        if record.status != "trained" or race is None:
            continue
        request = Request(
            data=race.request.data.path,
            text_field=race.request.data.text_field,
            device=record.device,
            arch=race.request.arch if loader.is_path(race.request.arch) else None,
        )
        notice(f"{race.label} was trained before: scoring it.")
        try:
            score_later(folder, request, Silent())
        except (ValueError, LookupError, OSError, MemoryError) as error:
            notice(f"{race.label} is raced again: {' '.join(str(error).split())}")
