"""Races in processes of their own: heard, killed, and gone with their parent."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from speedrun.records.schema import load
from speedrun.sweep import child

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def request_(planned):
    """One race, without tuning."""
    return replace(planned.races[0].request, tune="off")


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]


def test_a_race_that_cannot_start_says_why(request_):
    heard: list[str] = []
    ended = child.finish(child.race(replace(request_, arch="transfomer")), heard.append)
    assert ended.exit_code == 2 and "did you mean transformer" in ended.error and heard


def test_a_race_that_has_lost_is_killed_at_the_share_it_reached(request_, monkeypatch):
    monkeypatch.setattr(child, "JUDGE_S", 0.0)
    curves = []

    def has_lost(curve) -> bool:
        curves.append(list(curve))
        return True

    ended = child.finish(child.race(replace(request_, budget_s=60.0), has_lost), lambda line: None)
    share, nats = curves[0][-1]
    assert ended.exit_code == -signal.SIGKILL and ended.stopped_at == share < 0.9
    assert len(curves) == 1 and 1 < nats < 10
    assert not children() and not list(request_.out.iterdir())


def test_closing_a_race_ends_it_with_its_hidden_directory(request_):
    racing = child.race(request_)
    while not any(request_.out.glob(".*.partial")):
        next(racing)
    (process,) = children()
    racing.close()
    assert not process.is_running() and not list(request_.out.iterdir())


def test_a_sweep_that_is_killed_takes_its_race_along_and_resumes_later(stories, tmp_path):
    """kill -9 while the second race is under way."""
    words = "sweep --arch ngram --params 60K --minutes 0.1 --seeds 2 --vocab 300 --tune off"
    words += " --eval-docs 20"
    out, pipe = tmp_path / "sweep", subprocess.PIPE
    command = [sys.executable, str(ROOT / "run.py"), *words.split()]
    command += ["--data", str(stories), "--out", str(out)]
    env = {**os.environ, "SPEEDRUN_CACHE": str(tmp_path / "cache")}

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)

    sweep, shown = start(), ""
    assert sweep.stdout is not None and sweep.stderr is not None
    while not ("racing" in shown and "seed 1;" in shown):
        shown = sweep.stdout.readline()
        assert shown, sweep.stderr.read()
    (race,) = psutil.Process(sweep.pid).children()
    sweep.kill()
    sweep.communicate(timeout=30)
    with contextlib.suppress(psutil.NoSuchProcess):
        race.wait(timeout=30)
    assert not race.is_running()
    (first,) = out.glob("*/record.json")
    before = first.read_bytes()
    sweep = start()
    output, errors = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, errors
    assert "seed 0:" not in output and "2 of 2 done" in output
    assert first.read_bytes() == before
    assert sorted(load(path).seed for path in out.glob("*/record.json")) == [0, 1]
    assert "a fit needs 4, this budget has 1" in output
    manifest = json.loads((out / "sweep.json").read_text())
    assert manifest["grids"] == [
        {"archs": ["ngram"], "params": [60000], "minutes": [0.1], "seeds": 2}
    ]
