"""Commits that are checked out for a duel, and removed whatever became of it."""

import subprocess

import pytest

from speedrun.duel import checkout
from speedrun.system.paths import cache_dir

RUNS = "print('--seed --out --json --arch')\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository whose commits have another run.py each."""
    folder = tmp_path / "project"
    folder.mkdir()

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(text: str | None) -> str:
        if text is not None:
            (folder / "run.py").write_text(text)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "x")
        return git("rev-parse", "HEAD")

    git("init", "-q")
    monkeypatch.setattr(checkout, "ROOT", folder)
    commit.git = git  # type: ignore[attr-defined]
    return commit


def worktrees(project) -> int:
    return len(project.git("worktree", "list").splitlines())


def test_a_commit_is_there_while_it_is_used_and_gone_afterwards(project):
    first = project(RUNS)
    project("raise SystemExit(1)")
    with checkout.checked_out(checkout.commit_of(first[:8], "--at-a")) as folder:
        assert (folder / "run.py").read_text() == RUNS and worktrees(project) == 2
        assert checkout.options_of(folder, first) == {"--seed", "--out", "--json", "--arch"}
    assert not folder.exists() and worktrees(project) == 1
    assert not list((cache_dir() / "checkouts").iterdir())


def test_an_error_inside_removes_it_too(project):
    first = project(RUNS)
    with pytest.raises(KeyboardInterrupt), checkout.checked_out(first) as folder:
        raise KeyboardInterrupt
    assert not folder.exists() and worktrees(project) == 1


def test_what_a_killed_duel_left_is_removed_by_the_next_and_what_is_used_is_not(project):
    first = project(RUNS)
    home = cache_dir() / "checkouts"
    left = home / "left"
    project.git("worktree", "add", "--detach", str(left), first)
    (home / "left.lock").touch()
    with checkout.checked_out(first) as used:
        assert not left.exists() and worktrees(project) == 2
        with checkout.checked_out(first) as other:
            assert used.exists() and other.exists() and worktrees(project) == 3
    assert worktrees(project) == 1


@pytest.mark.parametrize("name", ["nowhere", "0" * 40, "--help", "HEAD:run.py", ""])
def test_a_commit_that_is_not_there_is_one_line(project, name):
    project(RUNS)
    with pytest.raises(ValueError, match=r"^--at-b .*: no such commit") as refused:
        checkout.commit_of(name, "--at-b")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "has no run.py"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("import sys; sys.exit('not today')", "not today"),
    ],
)
def test_a_commit_that_does_not_run_says_why(project, text, line):
    first = project(text)
    with checkout.checked_out(first) as folder, pytest.raises(ValueError, match=line):
        checkout.options_of(folder, first)


def test_a_worktree_that_cannot_be_made_is_one_line(project, tmp_path, monkeypatch):
    first = project(RUNS)
    (tmp_path / "file").touch()
    monkeypatch.setattr(checkout, "cache_dir", lambda: tmp_path / "file")
    with (
        pytest.raises(ValueError, match=r"no worktree of .* can be made"),
        checkout.checked_out(first),
    ):
        pass
    with pytest.raises(ValueError, match="can be made"), checkout.checked_out("0" * 40):
        pass
