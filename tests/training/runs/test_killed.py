"""Races killed with SIGKILL: nothing torn, nothing trained lost, nothing left behind."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.command_line import ROOT, TINY

from speedrun.records import schema
from speedrun.training.callbacks import Silent
from speedrun.training.race import race
from speedrun.training.runs.restore import load_run
from speedrun.training.runs.score_later import Request, score_later
from speedrun.training.signals import StopFlag

HIDDEN = ".*.partial"
# A file that appears, and the seconds after that.
MOMENTS = [
    (HIDDEN, 0.0),
    (f"{HIDDEN}/log.jsonl", 0.5),
    (f"{HIDDEN}/record.json", 0.0),
    (f"{HIDDEN}/record.json", 0.002),
    ("2*/record.json", 0.0),
    ("2*/record.json", 0.05),
]


def killed(request, pattern: str, after_s: float) -> set[Path]:
    """Runs that a race left which was killed so long after a file of it appeared."""
    before = set(request.out.glob("2*"))
    seen = set(request.out.glob(pattern))
    words = [sys.executable, ROOT / "run.py", "--arch", "ngram", *TINY, "--tune", "off"]
    words += ["--minutes", "0.05", "--data", request.data.path, "--out", request.out]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not set(request.out.glob(pattern)) - seen:
            time.sleep(0.0005)
        time.sleep(after_s)
        process.kill()
    return set(request.out.glob("2*")) - before


@pytest.mark.slow
def test_a_race_that_is_killed_at_any_moment_loses_no_model(counted):
    left = {moment: killed(counted, *moment) for moment in MOMENTS}
    assert all(left[moment] for moment in MOMENTS[-2:]), "published, and gone"
    finished = race(counted, Silent(), StopFlag(()))
    assert finished.record.status == "complete"
    assert not list(counted.out.glob(".*")), "the next race cleans up"
    statuses = [schema.load(path).status for path in counted.out.glob("*/record.json")]
    assert "trained" in statuses, "the model is published before it is scored"
    for folder in counted.out.iterdir():
        record = load_run(folder, "auto").record  # checks weights and tokenizer
        assert [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert not list(folder.glob(".*"))
        if record.status == "trained":
            assert score_later(folder, Request(), Silent()).score == finished.record.score
        assert schema.load(folder / "record.json").status == "complete"
