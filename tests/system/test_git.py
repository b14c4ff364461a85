"""Version of the code."""

import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from speedrun import telemetry
from speedrun.system import git
from speedrun.training.request import RunRequest

ROOT = Path(__file__).resolve().parents[2]
CHANGES = (
    "run.py",
    "numpy.py",
    "torch/__init__.py",
    "speedrun/race.py",
    "architectures/a/laws.json",
)
OUTPUTS = (
    "page/index.html",
    "leaderboard/records/0.json",
    "speedrun/.DS_Store",
    "architectures/__pycache__/a.pyc",
    "data/train.json",
    "venv/lib/python3/site-packages/numpy/__init__.py",
    "LEADERBOARD.md",
    "scratch/notes.py",
)


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = tmp_path / "a checkout"
    write(folder / git._OWN_FILE)
    write(folder / "leaderboard/records/1.json")
    write(folder / "leaderboard/README.md")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for args in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(folder), *args], check=True)
    return folder


@pytest.fixture
def fake_git(tmp_path, monkeypatch) -> Callable[[str], None]:
    def install(script: str) -> None:
        path = tmp_path / "bin" / "git"
        write(path, f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")

    return install


def write(path: Path, text: str = "1") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_change_of_tracked_code_is_one(checkout):
    assert (ROOT / git._OWN_FILE).is_file()
    found = git.code_version(checkout)
    assert found.commit is not None and len(found.commit) == 40
    assert found == (found.commit, False, None)
    write(checkout / git._OWN_FILE, "2")
    assert telemetry.code_version(checkout)[:2] == (found.commit, True)


@pytest.mark.parametrize("path", CHANGES)
def test_a_file_that_python_could_import_is_a_change(checkout, path):
    write(checkout / path)
    assert git.code_version(checkout).dirty is True


def test_results_documents_and_rubbish_are_no_change(checkout):
    for path in OUTPUTS:
        write(checkout / path)
    for tracked in ("leaderboard/records/1.json", "leaderboard/README.md"):
        write(checkout / tracked, "2")
    assert git.code_version(checkout).dirty is False


def test_no_checkout_of_this_project_has_no_version(tmp_path):
    found = git.code_version(tmp_path)
    assert found[:2] == (None, None) and "not in a git checkout" in str(found.problem)


def test_a_checkout_of_somebody_else_is_named_with_the_remedy(checkout, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = git.code_version(checkout)
    assert found[:2] == (None, None)
    assert f'git config --global --add safe.directory "{checkout}"' in str(found.problem)


@pytest.mark.skipif(os.name == "nt", reason="needs a script in place of git")
def test_a_git_that_hangs_costs_little_time(checkout, monkeypatch, fake_git):
    monkeypatch.setattr(git, "TIMEOUT_S", 0.3)
    fake_git("sleep 20")
    began_s = time.monotonic()
    found = git.code_version(checkout)
    assert found[:2] == (None, None) and "did not answer within 0.3 s" in str(found.problem)
    assert time.monotonic() - began_s < 10


@pytest.mark.skipif(os.name == "nt", reason="needs a script in place of git")
def test_a_git_that_fails_says_why(checkout, monkeypatch, fake_git):
    fake_git("echo fatal: index file corrupt >&2; exit 128")
    assert "index file corrupt" in str(git.code_version(checkout).problem)
    monkeypatch.setenv("PATH", str(checkout))
    assert "is not installed" in str(git.code_version(checkout).problem)


def test_variables_of_another_checkout_do_not_mislead(checkout, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert git.code_version(checkout).dirty is False


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://forge.example/ada/speedrun.git", "https://forge.example/ada/speedrun"),
        (
            "https://ada:secret@forge.example:8443/ada/speedrun",
            "https://forge.example/ada/speedrun",
        ),
        ("git@forge.example:ada/speedrun.git", "https://forge.example/ada/speedrun"),
        (
            "ssh://git@forge.example:22/group/ada/speedrun/",
            "https://forge.example/group/ada/speedrun",
        ),
        ("/srv/speedrun.git", None),
        ('https://forge.example/ada/"><script>', None),
        ("file:///srv/speedrun", None),
    ],
)
def test_the_web_address_is_that_of_the_remote_without_secrets(checkout, remote, address):
    assert git.web_address(checkout) is None
    subprocess.run(["git", "-C", checkout, "remote", "add", "origin", remote], check=True)
    assert git.web_address(checkout) == address


def test_default_output_folders_are_ignored():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"/{RunRequest.out}/", "/sweeps/"} <= set(ignored), "of the top alone"
