"""Records that contradict each other, or the history of this checkout."""

import shutil

import pytest
from helpers.made_records import add, made, write_run

from leaderboard.checks import across
from speedrun.models import code, loader
from speedrun.records.schema import Record
from speedrun.records.summary import summarize
from speedrun.system import git

COUNTED = {"backend": "numpy", "device": "numpy"}
COMMIT = "9f22b1d45c4ff787fac65ab74df3b1f6b53c1522"


@pytest.fixture
def pair():
    """A run and another with the same weights, after changes."""

    def make(changes: dict, seed: int = 0) -> list[Record]:
        same = {"weights_sha256": "7" * 64}
        of_both = changes if changes is COUNTED else {}
        return [made(0.75, 0, same | of_both), made(0.76, seed, same | changes)]

    return make


@pytest.mark.parametrize(
    ("changes", "seed", "says"),
    [
        ({}, 1, "but its seed is 1, not 0"),
        ({"config.recipe.lr": 0.1}, 0, "but its settings are others"),
        ({}, 0, ""),
        (COUNTED, 1, ""),
    ],
)
def test_one_set_of_weights_is_one_run(command, refused, pair, tmp_path, changes, seed, says):
    store, (first, second) = tmp_path / "store", pair(changes, seed)
    add(store, first)
    if says:
        refused(says, "submit", write_run(tmp_path / "run", second), "--to", store)
        both = [write_run(tmp_path / f"run{i}", one) for i, one in enumerate((first, second))]
        done = command("submit", *both, "--to", tmp_path / "new")
        assert done.code == 1 and says in done.err
    add(store, second)
    done = command("leaderboard", "--from", store, "--check", "--format", "json")
    assert (done.code == 2, says in done.err) == (bool(says), True), done.err


def test_weights_under_another_author_are_told(command, pair, tmp_path):
    for record, author in zip(pair({}), ("Ann", "Bob"), strict=True):
        add(tmp_path, record, author=author)
    done = command("leaderboard", "--from", tmp_path, "--check", "--format", "json")
    assert done.code == 2 and "but its author is another" in done.err


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_commits_are_looked_up(command, refused, tmp_path):
    if not git.commit_times([COMMIT]):
        pytest.skip("the history of this checkout does not reach back")
    known = {"code.commit": COMMIT}
    early = made(changes={**known, "created": "2026-01-02T03:04:05+00:00"})
    said = "it was raced before its commit was made (2026-11-22 06:34 UTC)"
    refused(said, "submit", write_run(tmp_path / "run", early), "--to", tmp_path / "store")
    add(tmp_path / "good", made(changes={**known, "created": "2026-11-22T08:00:00+01:00"}))
    add(tmp_path / "good", other := made(0.8))
    done = command("leaderboard", "--from", tmp_path / "good", "--check", "--format", "json")
    assert done.code == 0
    assert f"note: {other.id}: its commit 000000000000 is not in this repository" in done.err
    assert done.err.count("note: ") == 1


def test_code_that_is_not_that_of_the_commit_checked_out_is_told(monkeypatch):
    here = git.CodeVersion("0" * 40, False)
    monkeypatch.setattr(git, "code_version", lambda: here)
    other = summarize(made())
    own = other._replace(source=code.code_digest(loader.architecture("transformer")))
    assert "its code is not that of its commit" in across.problems([other], {}, None)[0]
    for run in (
        own,
        other._replace(dirty=True),
        other._replace(is_outside=True),
        other._replace(commit="1" * 40),
        other._replace(source="commit:" + "0" * 40),
    ):
        assert across.problems([run], {}, None) == []
