"""From a race on the hub's data to the board: no flags, no other revision, no other split."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import TINY, command, done_well, refused, runs
from helpers.fake_hub import FakeHub, tinystories

from leaderboard import index
from leaderboard.store import Store

ROOT = Path(__file__).resolve().parents[2]
TRAIN = [[f"Story {i}: the {'big ' * (i % 7)}dog ran home with ball {i * i}." for i in range(3000)]]
HELD_OUT = [f"Held out {i}: a cat sat on mat {i}." for i in range(40)]
# Another revision is pinned before anything reads which.
RACE = """
import sys
from speedrun.data.hub import failures
failures.REVISION = sys.argv.pop(1) or failures.REVISION
from speedrun.cli.app import main
main(sys.argv[1:])
"""
OPTIONS = ("--arch", "ngram", "--tune", "off", "--minutes", "0.02", *TINY)


def race(folder: Path, held_out: list[str], revision: str = "") -> Path:
    """The folder of a race on a hub with these held-out documents."""
    with FakeHub(tinystories(TRAIN, held_out, 500)) as hub:
        own = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "hf")}
        own |= {"SPEEDRUN_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
        options = (*OPTIONS, "--out", str(folder / "runs"))
        done = subprocess.run(
            [sys.executable, "-c", RACE, revision, *options],
            env=os.environ | own,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=ROOT,
        )
    assert done.returncode == 0, done
    (found,) = runs(folder / "runs")
    return found


@pytest.mark.slow
def test_a_race_on_the_hub_is_submitted_without_flags(tmp_path):
    store = tmp_path / "store"
    first = race(tmp_path / "first", HELD_OUT)
    record = json.loads((first / "record.json").read_text())
    assert (record["data"]["source"], record["data"]["name"]) == ("hub", "tinystories")
    assert "added record" in done_well("submit", first, "--to", store)
    found = index.read(Store(str(store)), None)
    assert not found.problems and found.data[-1].num_docs == 20
    assert "tinystories@" in done_well("leaderboard", "--from", store)
    assert command("leaderboard", "--from", store, "--check").code == 0

    # Another held-out text of so many documents is none of this revision, whatever is asked for.
    other = race(tmp_path / "other", [text.upper() for text in HELD_OUT])
    for flags in ((), ("--new-data",)):
        assert "held-out documents are not those known" in refused(
            "submit", other, "--to", store, *flags
        )

    # Another revision is another track: it does not enter this one, with or without the flag.
    later = race(tmp_path / "later", HELD_OUT, revision="b" * 40)
    assert "is not known there; --new-data opens" in refused("submit", later, "--to", store)
    done_well("submit", later, "--to", store, "--new-data")
    done = command("leaderboard", "--from", store, "--format", "json")
    tracks = [board["track"] for board in json.loads(done.out)["tracks"]]
    assert len({track["train_fingerprint"] for track in tracks}) == len(tracks) == 2
