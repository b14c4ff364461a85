"""Trackers of experiments that follow a race: TensorBoard, Trackio, Weights & Biases.

A tracker is a callback. Its library runs on a thread of its own and is told of every ten seconds,
two at a time; one that fails is dropped with a line, and costs no race.
"""

import importlib
import re
from pathlib import Path

from speedrun.text import nearest, reason
from speedrun.ui.trackers.libraries import LIBRARIES
from speedrun.ui.trackers.race_tracker import Tracker as Tracker

PROJECT = "speedrun"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # that all of them take, and a file system


def tracker(wanted: str | None, out: Path) -> Tracker:
    """The tracker of `--track KIND[:PROJECT]`; ValueError or LookupError for none that is there."""
    if wanted is None:
        return Tracker()
    kind, colon, project = wanted.partition(":")
    if kind not in LIBRARIES:
        raise nearest(kind, LIBRARIES, "--track")
    if colon and not _NAME.fullmatch(project):
        raise ValueError(
            f"--track {wanted}: {project!r} is no name of a project; give 1 to 64 letters, digits,"
            f" dots, hyphens or underscores, or --track {kind} for the project {PROJECT!r}"
        )
    try:
        found = importlib.import_module(LIBRARIES[kind].MODULE)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name == kind
        problem = "is not installed here" if is_missing else f"cannot be imported ({reason(error)})"
        raise ValueError(_missing(kind, problem)) from None
    if getattr(found, "__file__", None) is None:  # a folder of that name here, such as ./wandb
        raise ValueError(_missing(kind, "is not installed here"))
    return Tracker(kind, project or PROJECT, out)


def _missing(kind: str, problem: str) -> str:
    return f"--track {kind}: {kind} {problem}; install it with: pip install -e '.[{kind}]'"
