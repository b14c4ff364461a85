"""The check of a pull request: its records are read as data, its code is never run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "leaderboard" / "records"
RECORDS = sorted(path for path in FOLDER.glob("*.json") if len(path.stem) == 64)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.name == "nt" or shutil.which("git") is None or shutil.which("bash") is None,
        reason="needs git and bash",
    ),
]


class Project:
    """A repository with this project's code and all of its records but two."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "leaderboard" / "records"
        ignored = shutil.ignore_patterns("__pycache__", *(f"{path.stem}*" for path in RECORDS[:2]))
        for part in ("speedrun", "leaderboard", ".github"):
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        shutil.copy(ROOT / "run.py", folder)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit()
        self.git("checkout", "--quiet", "-b", "theirs")

    def git(self, *args: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x", "-c", "commit.gpgsign=false")
        words = ["git", "-C", str(self.folder), *who, *args]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def commit(self) -> None:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", "x")

    def checked(self) -> tuple[int, str]:
        """Exit code and comment for what is committed on `theirs`, with the code of `main`."""
        self.commit()
        head = self.git("rev-parse", "HEAD")
        self.git("checkout", "--quiet", "main")
        comment = self.folder.parent / "comment.md"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        words = [".github/check_records.sh", head, str(comment)]
        done = subprocess.run(words, cwd=self.folder, env={**os.environ, "PATH": path})
        return done.returncode, comment.read_text()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def test_a_good_record_holds_and_the_table_has_it(project):
    shutil.copy(RECORDS[0], project.records)
    code, comment = project.checked()
    assert code == 0 and comment.startswith("Every record holds."), comment
    assert "| bits per byte |" in comment
    assert f"{len(RECORDS) - 1} records" in comment


def test_records_are_neither_changed_nor_taken_away(project):
    (project.records / RECORDS[2].name).write_text("{}")
    (project.records / RECORDS[3].name).unlink()
    code, comment = project.checked()
    assert code != 0
    assert comment.count("never changed or taken away") == 2
    # What counts is the base's: both are in the table as they were.
    assert f"{len(RECORDS) - 2} records" in comment


def test_nothing_of_theirs_is_run_or_followed_and_a_tampered_record_fails(project):
    content = json.loads(RECORDS[1].read_text())
    content["score"]["bits_per_byte"] = 0.5
    (project.records / RECORDS[1].name).write_text(json.dumps(content))
    (project.folder / "run.py").write_text("raise SystemExit('ran their code')")
    (project.records / "sitecustomize.py").write_text("raise SystemExit('ran their code')")
    (project.records / RECORDS[0].name).symlink_to("/etc/passwd")
    (project.records / "a name; $(touch owned)").write_text("")
    code, comment = project.checked()
    assert code != 0 and comment.count("no file of a leaderboard") == 2
    for words in ("Not every record holds", "its id does not match its content", "| bits per byte"):
        assert words in comment
    assert "root:" not in comment and "ran their code" not in comment
    assert not (project.records / "sitecustomize.py").exists()
    assert not list(project.folder.rglob("owned"))
