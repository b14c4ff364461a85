"""Commits of the project checked out beside it, for as long as a duel races them.

`<cache>/checkouts/<name>/` is a worktree, and `<name>.lock` is held while it is used: what a duel
left that was killed is removed by the next one.
"""

import contextlib
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from speedrun.duel.process import environment
from speedrun.system import locks
from speedrun.system.git import GitFailed, git
from speedrun.system.paths import cache_dir

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "run.py"
_GIT_S = 60.0  # a checkout of a large history on a slow disk
_HELP_S = 120.0


def commit_of(name: str, option: str) -> str:
    """The full id of a commit; ValueError where there is none of this name."""
    try:
        # A name that begins with a dash would be an option of git's.
        found = _git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    except GitFailed as error:
        known = "" if "single revision" in str(error) else f" ({error})"
        raise ValueError(
            f"{option} {name}: no such commit{known}; give one that `git log` shows"
        ) from None
    return found.strip().splitlines()[-1]


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A worktree of a commit, removed afterwards. Raises ValueError where none can be made."""
    home = cache_dir() / "checkouts"
    folder = home / f"{commit[:12]}-{uuid.uuid4().hex[:8]}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(home)
        lock = locks.acquire(folder.with_suffix(".lock"))
    except OSError as error:
        raise ValueError(
            f"{home}: no worktree of {commit[:12]} can be made ({error.strerror}); free some space"
            " or set SPEEDRUN_CACHE to another folder"
        ) from None
    try:
        try:
            _git("worktree", "add", "--detach", "--force", str(folder), commit)
        except GitFailed as error:
            raise ValueError(
                f"{folder}: no worktree of {commit[:12]} can be made: {error}"
            ) from None
        yield folder
    finally:
        _remove(folder)
        if lock is not None:
            lock.release(remove=True)


def options_of(folder: Path, commit: str) -> set[str]:
    """Options of a race as the help of a commit names them; ValueError where it does not run."""
    if not (folder / ENTRY).is_file():
        raise ValueError(f"commit {commit[:12]} has no {ENTRY}: it cannot race")
    try:
        done = subprocess.run(
            [sys.executable, ENTRY, "--help"],
            cwd=folder,
            env={**environment(folder), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_HELP_S,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"commit {commit[:12]} does not run: no help in {_HELP_S:g} s") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        last = said[-1] if said else f"exit code {done.returncode}"
        raise ValueError(f"commit {commit[:12]} does not run: {last[:300]}")
    return set(re.findall(r"--[a-z][a-z-]*", done.stdout))


def _remove_abandoned(home: Path) -> None:
    for path in home.glob("*.lock"):
        with contextlib.suppress(OSError):
            if (lock := locks.acquire(path)) is not None:
                _remove(path.with_suffix(""))
                lock.release(remove=True)


def _remove(folder: Path) -> None:
    """Delete a worktree and what git knows of it, whether or not it was made."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(GitFailed):
        _git("worktree", "prune")


def _git(*words: str) -> str:
    return git(ROOT, time.monotonic() + _GIT_S, *words)
