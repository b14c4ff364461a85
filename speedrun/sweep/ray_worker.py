"""What a machine of a cluster does for a sweep: say what it would race, race, hand the run over."""

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from speedrun import __version__
from speedrun.models import loader
from speedrun.sweep.child import Ended, race_heard
from speedrun.sweep.early_stopping import Curve
from speedrun.sweep.grid import Grid, Plan, Planned, arguments, plan
from speedrun.system import git

_ROOT = Path(__file__).resolve().parents[2]
_COMPARED = ("train data", "held-out data", "hardware class")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a machine would make of a sweep, or why it cannot race."""

    found: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A race that is over, and the files of its run if it left one."""

    ended: Ended
    name: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


def facts(planned: Plan) -> dict[str, str]:
    """What must be the same on every machine that races in a sweep."""
    configs = json.dumps([run.config for run in planned.runs], sort_keys=True)
    commit, is_dirty = git.code_version(_ROOT)
    code = commit or __version__
    return {
        "code": f"{code[:12]} with changes" if is_dirty else code[:12],
        "settings": hashlib.sha256(configs.encode()).hexdigest(),
        **{key: planned.shared[key] for key in _COMPARED},
    }


def from_anywhere(grid: Grid) -> Grid:
    """The same grid for processes that work in other folders: its paths in full."""
    archs = tuple(
        str(Path(arch).resolve()) if loader.is_path(arch) else arch for arch in grid.archs
    )
    data = grid.data
    if data.path is not None:
        data = dataclasses.replace(data, path=str(Path(data.path).resolve()))
    return dataclasses.replace(grid, archs=archs, data=data)


def plan_here(grid: Grid) -> Iterator[Facts]:
    """Plan the sweep as it would be on this machine; a single answer."""
    try:
        yield Facts(found=facts(plan(grid, lambda text: None)))
    except (ValueError, LookupError, OSError) as error:
        yield Facts(error=" ".join(str(error).split()))


def race_here(
    run: Planned, grid: Grid, has_lost: Callable[[Curve], bool] | None = None
) -> Generator[str | Brought, None, None]:
    """Race on this machine: every line that is news, then the run itself."""
    if "OMP_NUM_THREADS" not in psutil.Process().environ():
        # Ray's, one for each CPU that it counts; a race takes as many as it does alone.
        os.environ.pop("OMP_NUM_THREADS", None)
    with _room() as out:
        words = arguments(run, dataclasses.replace(grid, out=out))
        told = ""
        with contextlib.closing(race_heard(words, out, has_lost)) as race:
            while True:
                try:
                    line = next(race)
                except StopIteration as stop:
                    ended = stop.value
                    break
                if line != told:
                    told = line
                    yield line
        yield _brought(ended, out)


def _brought(ended: Ended, out: Path) -> Brought:
    finished = [folder for folder in out.iterdir() if not folder.name.startswith(".")]
    if not finished:
        return Brought(ended=ended)
    (folder,) = finished
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    return Brought(ended=ended, name=folder.name, files=files)


@contextlib.contextmanager
def _room() -> Iterator[Path]:
    """A folder for one race; those of processes that were killed here go first."""
    prefix = f"speedrun-{platform.node()}-"
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*-race-*"):
        owner = folder.name.removeprefix(prefix).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-race-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
