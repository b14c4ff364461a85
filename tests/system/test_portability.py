"""The project on systems without the modules and calls of POSIX."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import FAST, TINY, runs

HELPER = Path(__file__).resolve().parents[1] / "helpers" / "as_on_windows.py"


@pytest.mark.slow
def test_everything_imports_and_races_without_posix(tmp_path, stories):
    pytest.importorskip("torch")
    race = ["--minutes", "0.02", "--data", str(stories), "--out", str(tmp_path / "runs")]
    commands = [
        [*race, *TINY, *FAST],
        [*race, *TINY, "--arch", "ngram", "--tune", "off"],
        ["leaderboard", "--from", str(tmp_path / "runs")],
        ["doctor", "--json"],
    ]
    done = subprocess.run(
        [sys.executable, str(HELPER), *map(json.dumps, commands)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
    )
    assert done.stdout.count("ended with 0\n") == len(commands), done.stdout + done.stderr
    records = [json.loads((run / "record.json").read_text()) for run in runs(tmp_path / "runs")]
    assert {record["status"] for record in records} == {"complete"}
    assert all(record["train"]["peak_bytes"] > 1 << 20 for record in records)
