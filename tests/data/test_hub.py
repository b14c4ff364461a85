"""TinyStories from a hub on the loopback: read no further than needed, given up in time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import hub_child

from speedrun.data.heldout import HeldOut
from speedrun.data.hub import tinystories as hub
from speedrun.data.source import SourceUnavailable
from speedrun.plan import cluster

TESTS = Path(__file__).resolve().parents[1]
TRAIN = [text for shard in hub_child.TRAIN for text in shard]
HELD_OUT = [text for text in hub_child.VALIDATION if text.strip()]


class Dataset:
    """A stream of three documents."""

    def __iter__(self):
        return ({"text": text} for text in ("a", "b", "c"))

    def state_dict(self):
        return {}


def asked(function: str, folder: Path, **variables: str) -> dict:
    """The findings of a function of `hub_child`."""
    # Without torch, which `datasets` would import, a process starts twice as fast.
    variables |= {"HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "hf"), "USE_TORCH": "0"}
    variables["PYTHONPATH"] = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-m", "helpers.hub_child", function, str(folder / "cache")],
        env={**os.environ, **variables, "SPEEDRUN_CACHE": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    # Neither an abort in pyarrow's threads at the end, nor talk into the live view.
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> dict:
    return asked("small", tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> dict:
    impatient = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    return asked("large", tmp_path_factory.mktemp("large"), **impatient)


@pytest.mark.slow
def test_few_documents_come_from_the_first_shard(small):
    assert (small["why"], small["heldout"], small["few"]) == (None, HELD_OUT[:20], TRAIN[:10])
    validation, *train = small["downloads"]
    assert validation.startswith("data/validation-")
    assert train == sorted(train) and len(train) == 3  # of the others, their footers


@pytest.mark.slow
def test_documents_come_in_order_and_resume_from_any_state(small):
    assert small["documents"] == TRAIN and small["all held out"] == HELD_OUT
    assert small["rests"] == [TRAIN[number:] for number in hub_child.RESUMED_AT]
    assert small["resumed twice"] == TRAIN[151:]
    assert "another version's: remove that folder" in small["another version"]


@pytest.mark.slow
def test_no_more_is_read_than_consumed_and_one_block(large):
    """However slowly: the reader behind `datasets` went on to the end of the file."""
    consumed = large["size"] * hub_child.NUM_SLOW / hub_child.NUM_LARGE
    group = large["size"] / hub_child.NUM_GROUPS
    assert large["read"] < consumed + group + hub.BLOCK_BYTES + 200_000
    assert large["next"].startswith(f"{hub_child.NUM_SLOW}: ")


@pytest.mark.slow
def test_a_cluster_is_planned_with_what_a_race_asks(large):
    """Of a machine's first race and of a later one, whose cache holds what it needs."""
    # The client library asks for a list of its own once a day, and again where there is none.
    api, later = (
        [r for r in large[race] if r["path"].startswith("/api/") and "harnesses" not in r["path"]]
        for race in ("first", "later")
    )
    # Nor are the others always as many: as few as 4 were counted.
    assert 4 <= len(api) <= cluster.API_FIRST - 1
    assert (len(later), cluster.API_LATER) == (1, 1)
    assert all(r["path"].startswith("/api/") for r in large["later"])
    files = [r for r in large["first"] if not r["path"].startswith("/api/")]
    shard = [r["num_bytes"] for r in files if r["path"].startswith("data/train-")]
    footers = large["size"] / hub_child.NUM_GROUPS + 200_000
    assert sum(shard) <= cluster.streamed_bytes(large["size"] / 2) + footers
    assert sum(shard) / len(shard) == pytest.approx(cluster.BYTES_PER_RESOLVE, rel=0.25)
    num_others = len(files) - len(shard)
    assert num_others <= cluster.RESOLVE_FIRST <= num_others + 1  # of a larger validation file


def test_cached_documents_serve_as_many_or_fewer(tmp_path):
    kept = tmp_path / f"heldout-{hub.REVISION[:8]}-20.json"
    content = {"fingerprint": HeldOut(HELD_OUT[:20]).fingerprint, "documents": HELD_OUT[:20]}
    kept.write_text(json.dumps(content), encoding="utf-8")
    offline = hub.TinyStories(tmp_path, offline="no network")
    assert offline.num_cached() == 20 and offline.heldout(7) == HELD_OUT[:7]
    for ask in (lambda: offline.heldout(21), lambda: offline.heldout(None), offline.train):
        with pytest.raises(SourceUnavailable, match="no network"):
            ask()
    assert hub.TinyStories(tmp_path / "elsewhere").num_cached() == 0
    easier = content | {"documents": ["a", *HELD_OUT[1:20]]}
    for other in ("[", "[]", json.dumps(HELD_OUT[:20]), json.dumps(easier)):  # torn, old, edited
        kept.write_text(other, encoding="utf-8")
        assert hub.TinyStories(tmp_path).num_cached() == 0, other


def test_a_cache_that_cannot_be_written_costs_no_race(tmp_path, monkeypatch):
    """Documents that were read are kept for this run, whatever became of the disk."""
    monkeypatch.setattr(hub.TinyStories, "_open", lambda *_: Dataset())
    (tmp_path / "file").write_text("")
    stories = hub.TinyStories(tmp_path / "file")
    assert stories.heldout(2) == ["a", "b"]
    monkeypatch.setattr(hub.TinyStories, "_open", lambda *_: pytest.fail("read again"))
    assert stories.heldout(2) == ["a", "b"]
