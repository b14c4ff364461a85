"""Version of the code, from git."""

import os
import re
import subprocess
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_OWN_FILE = "speedrun/system/git.py"
_ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 10.0  # for all that is asked of git
# The program's own files. Results, records and documents in the checkout are none of it.
_PROGRAM = ("run.py", "pyproject.toml", "speedrun", "architectures", "leaderboard")
_RECORDS = ":(exclude)leaderboard/records"
# Files that nobody committed count where Python may import or the program may read them.
_READ = {".py", ".pyi", ".pyc", ".so", ".pyd", ".json"}
_SHADOWS = (":(glob)*.py", ":(glob)*.so", ":(glob)*.pyd", ":(glob)*/__init__.py")


# https://host/owner/name.git, ssh://git@host/owner/name, git@host:owner/name.git
_REMOTE = re.compile(
    r"(?:(?:https|ssh)://(?:[^/@\s]*@)?(?P<h1>[\w.-]+)(?::\d+)?/|(?:[^/@:\s]+@)(?P<h2>[\w.-]+):)"
    r"(?P<path>[\w.~-]+(?:/[\w.~-]+?)+)(?:\.git)?/?",
    re.ASCII,
)


class CodeVersion(NamedTuple):
    """Commit of the code and whether it was changed; None and the `problem` where git fails."""

    commit: str | None
    dirty: bool | None
    problem: str | None = None  # for a person, with the remedy


class GitFailed(ValueError):
    """Git gave no answer; the text says why and what to do."""


def code_version(folder: Path = _ROOT) -> CodeVersion:
    """The version of the project in `folder`; it has none outside a git checkout of its own.

    Changed is code that git tracks, or an untracked file that could be imported or read.
    """
    deadline_s = time.monotonic() + TIMEOUT_S
    commit = None
    try:
        # A checkout of another project further up the path does not count.
        git(folder, deadline_s, "ls-files", "--error-unmatch", _OWN_FILE)
        commit = git(folder, deadline_s, "rev-parse", "HEAD").strip()
        states = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
        changed = git(folder, deadline_s, *states, "--", *_PROGRAM, *_SHADOWS, _RECORDS)
    except GitFailed as failed:
        return CodeVersion(commit, None, str(failed))
    return CodeVersion(commit, any(map(_counts, filter(None, changed.split("\0")))))


def web_address(folder: Path = _ROOT) -> str | None:
    """The https address of the repository that this checkout was cloned from; None without one.

    Only host and path of a remote: a user's name, a password and a port are no part of a page.
    """
    deadline_s = time.monotonic() + TIMEOUT_S
    try:
        git(folder, deadline_s, "ls-files", "--error-unmatch", _OWN_FILE)
        remote = git(folder, deadline_s, "remote", "get-url", "origin").strip()
    except GitFailed:
        return None
    found = _REMOTE.fullmatch(remote)
    return f"https://{found['h1'] or found['h2']}/{found['path']}" if found else None


def commit_times(ids: Iterable[str], folder: Path = _ROOT) -> dict[str, datetime] | None:
    """The moment of each of these commits that the project's repository has; None without git."""
    wanted = sorted({id for id in ids if re.fullmatch("[0-9a-f]{40,64}", id)})
    deadline_s = time.monotonic() + TIMEOUT_S
    try:
        git(folder, deadline_s, "ls-files", "--error-unmatch", _OWN_FILE)
        form = ("--no-walk=unsorted", "--ignore-missing", "--format=%H %ct", "--stdin")
        shown = git(folder, deadline_s, "log", *form, given="".join(f"{id}\n" for id in wanted))
    except GitFailed:
        return None
    pairs = (line.split() for line in shown.splitlines())
    return {id: datetime.fromtimestamp(int(seconds), UTC) for id, seconds in pairs}


def _counts(entry: str) -> bool:
    """Whether an entry of the status is code: `XY path`, with `??` where it is untracked."""
    path = PurePosixPath(entry[3:])
    if entry.startswith("??"):
        return path.suffix in _READ and "__pycache__" not in path.parts
    return path.suffix != ".md"


def git(folder: Path, deadline_s: float, *args: str, given: str = "") -> str:
    """The output of git in a folder; raises GitFailed at an error and at the deadline."""
    # Variables of a hook or of another checkout must not lead git elsewhere.
    left_s = max(0.1, deadline_s - time.monotonic())
    misleading = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    inherited = {name: value for name, value in os.environ.items() if name not in misleading}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *args],
            env={**inherited, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=left_s,
        )
    except subprocess.TimeoutExpired:
        raise GitFailed(f"git did not answer within {left_s:.2g} s: try git status") from None
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise GitFailed("git is not installed: install it") from None
        raise GitFailed(f"git does not start ({error.strerror}): mend its rights") from None
    if done.returncode == 0:
        return done.stdout
    if "dubious ownership" in done.stderr:
        remedy = f"git config --global --add safe.directory {_quoted(folder)}"
        raise GitFailed(f"git refuses a checkout that somebody else owns: {remedy}")
    if re.search("not a git repository|did not match any file", done.stderr):
        raise GitFailed("it is not in a git checkout of the project: clone it with git")
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    raise GitFailed(f"git fails ({said.removeprefix('fatal: ')[:160]}): try git status")


def _quoted(folder: Path) -> str:
    return f'"{folder}"' if " " in str(folder) else str(folder)
