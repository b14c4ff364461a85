"""The check of a pull request: its records are read as data, its code is never run."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.made_records import add, made

from speedrun.records.sanitize import is_sanitized

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "leaderboard" / "records"
DUELS = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.duel.json"))
# A duel holds with all of its records only: those of duels come last.
RECORDS = sorted(
    (path for path in FOLDER.glob("*.json") if len(path.stem) == 64),
    key=lambda path: (path.stem in DUELS, path.stem),
)

needs_git = pytest.mark.skipif(os.name == "nt" or shutil.which("git") is None, reason="needs git")


def script(name: str) -> Any:
    """The module in a file of .github."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".github" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
        words = [sys.executable, ".github/check_records.py", head, str(comment)]
        done = subprocess.run(words, cwd=self.folder, stdout=subprocess.DEVNULL)
        return done.returncode, comment.read_text()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


@pytest.mark.parametrize("num_lines", [0, 1, 10, 100_000])
def test_a_comment_is_cut_at_the_end_of_a_line(num_lines):
    comment = script("comment")
    text = "".join(f"{'ü' * 50} {line}\n" for line in range(num_lines))
    cut = comment.cut(text, comment.MAX_BYTES)
    assert len(cut.encode()) <= comment.MAX_BYTES
    kept = [line for line in cut.splitlines() if line.startswith("ü")]
    assert cut.splitlines()[:-1] == kept[: len(cut.splitlines()) - 1]
    if num_lines == 100_000:
        assert cut.endswith(f"… and {num_lines - len(kept)} more lines\n")
    assert comment.cut("x" * 10**6, 100) == "… and 1 more lines\n"


def test_what_a_check_wrote_calls_nobody_and_holds_no_controls(tmp_path):
    comment = script("comment")
    (tmp_path / "found").write_bytes(
        b"\x1b[2J@everyone \xff\xe2\x80\xae \r\n@a\n" + b"@b\n" * 10**6
    )
    comment.main(tmp_path / "found", tmp_path / "comment")
    text = (tmp_path / "comment").read_text(encoding="utf-8")
    assert len(text.encode()) <= comment.MAX_BYTES
    assert is_sanitized(text.replace("\n", "").replace("@\u200b", "@"))
    assert not re.search(r"@\w", text) and "everyone" in text
    (tmp_path / "link").symlink_to(tmp_path / "found")
    with pytest.raises(ValueError, match="not a plain file"):
        comment.main(tmp_path / "link", tmp_path / "comment")


def test_actions_are_pinned_and_the_job_that_runs_code_has_no_rights():
    folder = ROOT / ".github" / "workflows"
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yml")}
    for text in texts.values():
        used = re.findall(r"uses: (\S+)", text)
        assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used), used
        assert "pull_request_target" not in text
    assert "write" not in texts["records.yml"] and "token" not in texts["records.yml"].lower()
    assert not re.search(r"pip|run\.py|head_sha }}$.*ref:", texts["comment.yml"])


@pytest.mark.slow
@needs_git
def test_a_good_record_holds_and_the_table_has_it(project):
    shutil.copy(RECORDS[0], project.records)
    code, comment = project.checked()
    assert code == 0 and comment.startswith("Every record holds."), comment
    assert "| bits per byte |" in comment
    assert f"{len(RECORDS) - 1} records" in comment


@pytest.mark.slow
@needs_git
def test_records_are_neither_changed_nor_taken_away(project):
    (project.records / RECORDS[2].name).write_text("{}")
    (project.records / RECORDS[3].name).unlink()
    code, comment = project.checked()
    assert code != 0
    assert comment.count("never changed or taken away") == 2
    # What counts is the base's: both are in the table as they were.
    assert f"{len(RECORDS) - 2} records" in comment


@pytest.mark.slow
@needs_git
def test_nothing_of_theirs_is_run_or_followed_and_a_tampered_record_fails(project):
    content = json.loads(RECORDS[1].read_text())
    content["score"]["bits_per_byte"] = 0.5
    (project.records / RECORDS[1].name).write_text(json.dumps(content))
    (project.folder / "run.py").write_text("raise SystemExit('ran their code')")
    (project.records / "sitecustomize.py").write_text("raise SystemExit('ran their code')")
    (project.records / RECORDS[0].name).symlink_to("/etc/passwd")
    (project.records / "a name; $(touch owned)").write_text("")
    code, comment = project.checked()
    assert code != 0 and comment.count("no file of a leaderboard") == 3
    for words in ("Not every record holds", "its id does not match its content", "| bits per byte"):
        assert words in comment
    assert "root:" not in comment and "ran their code" not in comment
    assert not (project.records / "sitecustomize.py").exists()
    assert not list(project.folder.rglob("owned"))


@pytest.mark.slow
@needs_git
def test_the_comment_on_a_large_store_is_whole_and_short(project):
    for seed in range(800):
        changes = {"config.x": seed, "config.recipe_name": "r" * 150}
        add(project.records, made(0.75, seed, changes), name=f"entry {seed} {'x' * 80}")
    code, comment = project.checked()
    assert code == 0, comment[:3000]
    assert 50_000 < len(comment.encode()) < 60_000
    assert re.search(r"… and \d+ more lines\n$", comment)
