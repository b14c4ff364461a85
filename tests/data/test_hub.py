"""TinyStories from a hub on the loopback: read no further than needed, given up in time.

The client libraries read HF_ENDPOINT when they are imported: what reads data has a process of
its own.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.fake_hub import FakeHub, black_hole, closed_port, tinystories
from huggingface_hub import constants

from speedrun.data import hub as module
from speedrun.data.source import SourceUnavailable
from speedrun.plan import cluster

ROOT = Path(__file__).resolve().parents[2]
TRAIN = [[f"Shard {shard}, story {i}." for i in range(100)] for shard in range(3)]
VALIDATION = ["Held out 0.", " \n", *(f"Held out {i}." for i in range(1, 40))]
HELD_OUT = [text for text in VALIDATION if text.strip()]
PRELUDE = """
import itertools, json, sys, time
from pathlib import Path
from speedrun.data import hub
stories = hub.TinyStories(Path(sys.argv[1]))
"""


@pytest.fixture
def fake():
    with FakeHub(tinystories(TRAIN, VALIDATION)) as running:
        yield running


@pytest.fixture(scope="module")
def large() -> dict[str, bytes]:
    """One training shard of 19 MB, which takes several requests to read."""
    texts = [f"{i}: {os.urandom(400).hex()}" for i in range(24_000)]
    return tinystories([texts], VALIDATION, rows_per_group=1000)


@pytest.fixture
def ask(tmp_path):
    """`ask(endpoint, code)` runs code against a hub; what it prints as JSON comes back."""

    def request(endpoint, code, timeout_s=30, arguments=(), **variables):
        # Without torch, which `datasets` would import, a process starts twice as fast.
        hub = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + code, str(tmp_path / "cache"), *arguments],
            env={**os.environ, **hub, "USE_TORCH": "0", "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        # Neither an abort in pyarrow's threads at the end, nor talk into the live view.
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return request


@pytest.mark.slow
def test_few_documents_come_from_the_first_shard_and_held_out_ones_are_kept(fake, ask, tmp_path):
    got = ask(
        fake.endpoint,
        """
why = hub.unreachable()
heldout = stories.heldout(20)
train = stories.train()
print(json.dumps([why, heldout, list(itertools.islice(train, 10))]))
train.close()
""",
    )
    assert got == [None, HELD_OUT[:20], TRAIN[0][:10]]
    validation, *train = fake.downloads()
    assert validation.startswith("data/validation-")
    assert train == sorted(p for p in fake.files if "train" in p)  # of the others, their footers

    offline = module.TinyStories(tmp_path / "cache", offline="no network")
    assert offline.heldout(20) == HELD_OUT[:20]
    with pytest.raises(SourceUnavailable, match=r"the hub does not answer \(no network\)"):
        offline.train()


@pytest.mark.slow
def test_documents_come_in_order_and_resume_from_any_state(fake, ask):
    got = ask(
        fake.endpoint,
        """
states, documents = [], []
train = stories.train()
states.append(train.state())
for document in train:
    documents.append(document)
    states.append(train.state())
rests = {}
for number in (0, 1, 63, 64, 65, 100, 230, 300):
    rests[number] = list(stories.train(json.loads(json.dumps(states[number]))))
again = stories.train(states[150])
next(again)
twice = list(stories.train(again.state()))
again.close()
print(json.dumps([documents, rests, twice, stories.heldout(None)]))
""",
    )
    documents, rests, twice, heldout = got
    expected = [text for shard in TRAIN for text in shard]
    assert documents == expected
    for number, rest in rests.items():
        assert rest == expected[int(number) :], f"resumed after {number} documents"
    assert twice == expected[151:]
    assert heldout == HELD_OUT


@pytest.mark.slow
def test_no_more_is_read_than_consumed_and_one_block(large, ask):
    """However slowly: the reader behind `datasets` went on to the end of the file."""
    num_docs = 2500
    code = """
train = stories.train()
documents = list(itertools.islice(train, int(sys.argv[2])))
time.sleep(1)
print(json.dumps([len(documents), train.state()]))
train.close()
"""
    with FakeHub(large) as fake:
        given, state = ask(fake.endpoint, code, arguments=[str(num_docs)])
        read = sum(request.num_bytes for request in fake.requests)
    assert given == num_docs
    size = len(large["data/train-00000-of-00001.parquet"])
    group = size / 24
    assert read < (num_docs / 24_000) * size + group + module.BLOCK_BYTES + 200_000
    with FakeHub(large) as fake:  # going on reads a part of the file again, not all before it
        code = "print(json.dumps(next(stories.train(json.loads(sys.argv[2])))))"
        assert ask(fake.endpoint, code, arguments=[json.dumps(state)]).startswith(f"{num_docs}: ")


@pytest.mark.slow
def test_a_position_of_another_version_is_not_read_on_from(fake, ask):
    why = ask(
        fake.endpoint,
        """
try:
    stories.train({"stream": None, "given": 3})
except hub.SourceUnavailable as error:
    print(json.dumps(str(error)))
""",
    )
    assert "another version's: remove that folder" in why


def test_cached_documents_serve_as_many_or_fewer(tmp_path):
    kept = tmp_path / f"heldout-{module.REVISION[:8]}-20.json"
    kept.write_text(json.dumps(HELD_OUT[:20]), encoding="utf-8")
    offline = module.TinyStories(tmp_path, offline="no network")
    assert offline.is_cached() and offline.heldout(7) == HELD_OUT[:7]
    for limit in (21, None):
        with pytest.raises(SourceUnavailable, match="no network"):
            offline.heldout(limit)
    assert not module.TinyStories(tmp_path / "elsewhere").is_cached()


@pytest.fixture
def reason(monkeypatch):
    """`reason(endpoint)` asks a hub in this process, whose client library was told another one."""

    def asked(endpoint: str) -> str:
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        started_s = time.monotonic()
        why = module.unreachable()
        assert time.monotonic() - started_s < 8.0
        assert why and "\n" not in why and len(why) < 200
        return why

    return asked


def test_a_hub_that_refuses_is_unreachable(reason):
    assert "refused" in reason(closed_port())


def test_a_hub_that_never_answers_is_unreachable(reason, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with black_hole() as endpoint:
        reason(endpoint)


@pytest.mark.parametrize("status", [404, 429, 500])
def test_a_hub_that_answers_with_an_error_is_unreachable(fake, reason, status):
    fake.trouble = status
    fake.headers = {"Retry-After": "3600"}
    assert str(status) in reason(fake.endpoint)


def test_a_name_server_that_is_silent_does_not_hold_us(monkeypatch):
    import huggingface_hub

    def silent(self, repo, **rest):
        time.sleep(5)

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", silent)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    assert module.unreachable() == "no answer within 0.1 s"


def test_offline_by_choice_is_unreachable(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert module.unreachable() == "HF_HUB_OFFLINE is set"


IMPATIENT = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
GIVE_UP = """
train = stories.train()
next(train)
hub.PATIENCE_S = 1.0
num_given = 1
try:
    for _ in train:
        num_given += 1
        started_s = time.monotonic()
except hub.SourceUnavailable as error:
    print(json.dumps([num_given, str(error), time.monotonic() - started_s]))
train.close()
"""


@pytest.mark.slow
def test_a_hub_that_dies_midway_is_given_up_in_time(large, ask):
    def die(trouble):
        with FakeHub(large) as fake:
            # One request for the shard's footer, one for its first stories.
            fake.trouble, fake.trouble_after = trouble, 2
            fake.headers = {"Retry-After": "3600"}
            return ask(fake.endpoint, GIVE_UP, **IMPATIENT)

    with ThreadPoolExecutor() as pool:  # they wait, mostly
        deaths = list(pool.map(die, ("silent", "drop", 429, 503)))
    for prefix_length, why, took_s in deaths:
        assert 64 <= prefix_length < 24_000
        assert why == "the hub stopped answering (no answer within 1 s)"
        assert took_s < 5.0


@pytest.mark.slow
def test_a_hub_that_dies_before_the_first_document_is_given_up_in_time(fake, ask):
    fake.trouble = "silent"
    why = ask(
        fake.endpoint,
        """
hub.PATIENCE_S = 1.0
try:
    stories.heldout(5)
except hub.SourceUnavailable as error:
    print(json.dumps(str(error)))
""",
        **IMPATIENT,
    )
    assert why == "the hub does not answer (no answer within 1 s)"


@pytest.mark.slow
def test_a_cluster_is_planned_with_what_a_race_asks(large, ask):
    """Of a machine's first race and of a later one, whose cache holds what it needs."""
    race = "assert hub.unreachable() is None; assert len(stories.heldout(20)) == 20\n"
    text = "train = stories.train()\nfor _ in itertools.islice(train, 12000): pass\n"
    with FakeHub(large) as fake:
        ask(fake.endpoint, race + text + "train.close(); print(0)")
        first = list(fake.requests)
        ask(fake.endpoint, race + "print(0)")
        later = fake.requests[len(first) :]
    # The client library asks for a list of its own once a day, and again where there is none.
    api, api_later = (
        [r for r in some if r.path.startswith("/api/") and "harnesses" not in r.path]
        for some in (first, later)
    )
    # Nor are the others always as many: as few as 4 were counted.
    assert 4 <= len(api) <= cluster.API_FIRST - 1
    assert (len(api_later), cluster.API_LATER) == (1, 1)
    assert not [r for r in later if not r.path.startswith("/api/")]
    shard = [r for r in first if r.path.startswith("data/train-")]
    sent = sum(r.num_bytes for r in shard)
    size = len(large["data/train-00000-of-00001.parquet"])
    assert sent <= cluster.streamed_bytes(size / 2) + size / 24 + 200_000  # and footers
    assert sent / len(shard) == pytest.approx(cluster.BYTES_PER_RESOLVE, rel=0.25)
    others = [r for r in first if not r.path.startswith(("/api/", "data/train-"))]
    assert len(others) <= cluster.RESOLVE_FIRST <= len(others) + 1  # of a larger validation file
