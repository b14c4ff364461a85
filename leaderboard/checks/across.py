"""Checks across records, and of their commits against the history of this checkout."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from leaderboard.attestations import Submission
from leaderboard.checks import model
from speedrun.models import code
from speedrun.records.summary import Summary
from speedrun.system import git

Commits = Mapping[str, datetime]  # when each was made; None where there is no history

_CLOCK_SKEW = timedelta(minutes=10)


def problems(
    runs: Iterable[Summary], submissions: Mapping[str, Submission], commits: Commits | None
) -> list[str]:
    """Records that contradict others or the history, a line each that begins with their ids."""
    runs = list(runs)
    found = []
    for group in _alike(runs).values():
        first, *copies = sorted(group, key=lambda run: (run.created, run.id))
        for run in copies:
            if what := _different(run, first, submissions):
                found.append(f"{run.id}: its weights are those of {first.id[:12]}, {what}")
    found += _other_sources(runs)
    for run in runs:
        made = (commits or {}).get(run.commit or "")
        if made is not None and datetime.fromisoformat(run.created) < made - _CLOCK_SKEW:
            day = f"{made:%Y-%m-%d %H:%M}"
            found.append(f"{run.id}: it was raced before its commit was made ({day} UTC)")
    return found


def _other_sources(runs: Iterable[Summary]) -> Iterator[str]:
    """Runs of the commit that is checked out here, unchanged, whose code was not this code."""
    of_head = [run for run in runs if run.dirty is False and not run.source.startswith("commit:")]
    if not of_head or (here := git.code_version()).dirty is not False:
        return
    for run in of_head:
        is_ours = not run.is_outside and model.is_of_this_project(run.arch)
        if run.commit is None or run.commit != here.commit or not is_ours:
            continue
        if run.source != code.code_digest(model.architecture(run.arch)):
            yield f"{run.id}: its code is not that of its commit {run.commit[:12]}"


def remarks(runs: Iterable[Summary], commits: Commits | None) -> list[str]:
    """Records whose code cannot be looked up here, a line each; nothing against them."""
    if commits is None:
        return []
    return [
        f"{run.id}: its commit {run.commit[:12]} is not in this repository"
        for run in runs
        if run.commit and run.commit not in commits
    ]


def _alike(runs: Iterable[Summary]) -> dict[str, list[Summary]]:
    """Trained networks by weights. Counts of the same documents are the same in any run."""
    groups: dict[str, list[Summary]] = defaultdict(list)
    for run in runs:
        if not model.is_counted(run):
            groups[run.weights_sha256].append(run)
    return groups


def _different(run: Summary, first: Summary, submissions: Mapping[str, Submission]) -> str:
    """The difference between two runs of the same weights; "" for a race that repeats itself."""
    if run.seed != first.seed:
        return f"but its seed is {run.seed}, not {first.seed}"
    if (run.arch, run.config_key) != (first.arch, first.config_key):
        return "but its settings are others"
    own, other = (submissions[r.id].author if r.id in submissions else None for r in (run, first))
    return "but its author is another" if own != other else ""
