"""TinyStories from a hub on the loopback: read no further than needed, given up in time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
from helpers import hub_child
from helpers.fake_hub import FakeHub, black_hole, tinystories
from huggingface_hub import constants

from speedrun.data import hub
from speedrun.data.source import SourceUnavailable
from speedrun.plan import cluster

TESTS = Path(__file__).resolve().parents[1]
TRAIN = [text for shard in hub_child.TRAIN for text in shard]
HELD_OUT = [text for text in hub_child.VALIDATION if text.strip()]


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
def test_a_hub_that_dies_is_given_up_in_time(small, large):
    assert small["silent"] == "the hub does not answer (no answer within 1 s)"
    for num_given, why, took_s in large["deaths"]:
        assert 64 <= num_given < hub_child.NUM_LARGE and took_s < 5.0
        assert why == "the hub stopped answering (no answer within 1 s)"


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
    kept.write_text(json.dumps(HELD_OUT[:20]), encoding="utf-8")
    offline = hub.TinyStories(tmp_path, offline="no network")
    assert offline.is_cached() and offline.heldout(7) == HELD_OUT[:7]
    for ask in (lambda: offline.heldout(21), lambda: offline.heldout(None), offline.train):
        with pytest.raises(SourceUnavailable, match=r"the hub does not answer \(no network\)"):
            ask()
    assert not hub.TinyStories(tmp_path / "elsewhere").is_cached()


@pytest.fixture
def reason(monkeypatch):
    """`reason(endpoint)` asks a hub in this process, whose client library was told another one."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def asked(endpoint: str) -> str:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        started_s = time.monotonic()
        why = hub.unreachable()
        assert time.monotonic() - started_s < 8.0
        assert why and "\n" not in why and len(why) < 200
        return why

    return asked


def test_a_hub_that_refuses_or_never_answers_is_unreachable(reason, monkeypatch):
    with black_hole() as closed:
        pass
    assert "refused" in reason(closed)
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.2)
    with black_hole() as endpoint:
        reason(endpoint)


def test_a_hub_that_answers_with_an_error_is_unreachable(reason):
    with FakeHub(tinystories([], [])) as fake:
        fake.headers = {"Retry-After": "3600"}
        for fake.trouble in (404, 429, 500):
            assert str(fake.trouble) in reason(fake.endpoint)


def test_a_name_server_that_is_silent_does_not_hold_us(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: time.sleep(5))
    monkeypatch.setattr(hub, "TIMEOUT_S", 0.1)
    assert hub.unreachable() == "no answer within 0.1 s"


def test_offline_by_choice_is_unreachable(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.unreachable() == "HF_HUB_OFFLINE is set"
