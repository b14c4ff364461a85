"""Tasks that a machine of a Ray cluster runs for a sweep: plan it, race, hand the run over."""

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field

import psutil

from speedrun.sweep import child
from speedrun.sweep.child import Ended, HasLost
from speedrun.sweep.grid import Grid, Plan, plan
from speedrun.system import paths
from speedrun.training.request import RunRequest


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The sweep as a machine plans it, or the reason why it cannot race."""

    found: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A race that is over, and the files of its run if it left one."""

    ended: Ended
    files: Mapping[str, bytes] = field(default_factory=dict)


def facts(planned: Plan) -> dict[str, str]:
    """Values that must be the same on every machine that races in a sweep."""
    configs = json.dumps([race.config for race in planned.races], sort_keys=True)
    code = json.dumps(planned.code, sort_keys=True)
    compared = ("train data", "held-out data", "hardware class")
    return {
        "code": hashlib.sha256(code.encode()).hexdigest(),
        "settings": hashlib.sha256(configs.encode()).hexdigest(),
        **{key: planned.shared[key] for key in compared},
    }


def plan_here(grid: Grid) -> Iterator[Facts]:
    """Plan the sweep on this machine; a single answer."""
    try:
        yield Facts(found=facts(plan(grid, lambda text: None)))
    except (ValueError, LookupError, OSError) as error:
        yield Facts(error=" ".join(str(error).split()))


def race_here(
    request: RunRequest, has_lost: HasLost | None = None
) -> Generator[str | Brought, None, None]:
    """Race on this machine: every new line of progress, then the run itself."""
    if "OMP_NUM_THREADS" not in psutil.Process().environ():
        # Set by Ray to the CPUs that it counts; a race takes as many threads as it does alone.
        os.environ.pop("OMP_NUM_THREADS", None)
    # Abandoned runs are removed by process id, which is known on this machine only.
    out, shown = paths.cache_dir() / "ray" / platform.node(), ""
    with contextlib.closing(child.race(dataclasses.replace(request, out=out), has_lost)) as race:
        while True:
            try:
                line = next(race)
            except StopIteration as stop:
                ended: Ended = stop.value
                break
            if line != shown:
                yield (shown := line)
    files = {}
    if ended.run is not None:
        files = {file.name: file.read_bytes() for file in ended.run.iterdir()}
        shutil.rmtree(ended.run)
    yield Brought(ended=ended, files=files)
