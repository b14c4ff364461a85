"""Version of the code, from git."""

import subprocess
from pathlib import Path

_OWN_FILE = "speedrun/system/git.py"


def code_version(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the working tree and whether it has changes; None outside a git checkout."""
    # A checkout of another project further up the path does not count.
    if _git(folder, "ls-files", "--error-unmatch", _OWN_FILE) is None:
        return None, None
    status = _git(folder, "status", "--porcelain")
    return _git(folder, "rev-parse", "HEAD"), None if status is None else bool(status)


def _git(folder: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *args], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
