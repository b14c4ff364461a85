"""A run that was trained and not scored, met by every command."""

import json

import pytest
from helpers.command_line import TINY, command, done_well, refused, runs

from speedrun.evaluation import score as evaluate

NGRAM = ["--arch", "ngram", *TINY, "--tune", "off", "--minutes", "0.05"]


@pytest.fixture
def trained(stories, tmp_path, monkeypatch):
    """A race whose scoring failed, and the line that it ended with."""

    def fail(*args):
        raise RuntimeError("out of luck")

    out = tmp_path / "runs"
    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "score", fail)
        line = refused(*NGRAM, "--data", stories, "--out", out)
    (folder,) = runs(out)
    return folder, line


def test_every_command_says_how_a_trained_run_is_finished(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    folder, line = trained
    how = f"python run.py score {folder}"
    assert line.startswith("error: not scored (") and f"{how} finishes it" in line
    for words in (
        ["verify", folder],
        ["submit", folder, "--to", tmp_path],
        ["compare", folder, folder],
    ):
        assert f"the run is trained, not scored yet: {how}" in refused(*words)
    assert done_well("sample", folder, "--max-tokens", "5").startswith("Once upon a time")
    shown = done_well("leaderboard", "--from", folder.parent)
    assert "the run is trained, not scored yet: python run.py score RUN" in shown
    done = command("score", folder, "--json")
    assert done.code == 0 and "scored later" in done.err
    found = json.loads(done.out)
    assert found == json.loads((folder / "record.json").read_text())
    assert found["status"] == "complete" and found["score"]["bits_per_byte"] > 0
    assert f"python run.py verify {folder} scores it again" in refused("score", folder)
    # Without --data: the run remembers it, and the training documents are the same.
    assert "searching the training documents" in done_well("verify", folder)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["score", "nowhere"], "nowhere: no record.json there"),
        (["score"], "RUN"),
        (["score", "nowhere", "--device", "tpu"], "no record.json there"),
    ],
)
def test_what_is_no_run_is_one_line(words, says):
    assert says in refused(*words)
