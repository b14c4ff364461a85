"""Version of the code."""

import subprocess
from pathlib import Path

from speedrun.system import git
from speedrun.training.request import RunRequest

ROOT = Path(__file__).resolve().parents[2]


def test_a_change_makes_the_tree_dirty(tmp_path):
    def run(*args: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *args], check=True)

    assert git.code_version(tmp_path) == (None, None)
    assert (ROOT / git._OWN_FILE).is_file()
    file = tmp_path / git._OWN_FILE
    file.parent.mkdir(parents=True)
    file.write_text("1")
    run("init", "-q")
    run("add", "-A")
    run("commit", "-qm", "one")
    commit, dirty = git.code_version(tmp_path)
    assert commit is not None and len(commit) == 40 and dirty is False
    file.write_text("2")
    assert git.code_version(tmp_path) == (commit, True)


def test_default_output_folders_are_ignored():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"{RunRequest.out}/", "sweeps/"} <= set(ignored)
