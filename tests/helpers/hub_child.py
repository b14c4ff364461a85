"""Reads TinyStories from a hub of its own on the loopback, and prints what it found as JSON.

A process of its own: the client libraries read HF_ENDPOINT when they are imported. Arguments:
the name of a function below and a folder for the cache.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from helpers.fake_hub import FakeHub, tinystories

from speedrun.data.hub import client
from speedrun.data.hub import tinystories as hub

TRAIN = [[f"Shard {shard}, story {i}." for i in range(100)] for shard in range(3)]
VALIDATION = ["Held out 0.", " \n", *(f"Held out {i}." for i in range(1, 40))]
RESUMED_AT = (0, 1, 63, 64, 65, 100, 230, 300)
NUM_LARGE, NUM_GROUPS, NUM_SLOW = 24_000, 24, 2500


@contextmanager
def running(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with FakeHub(files) as fake:
        os.environ["HF_ENDPOINT"] = fake.endpoint
        yield fake


def refusal(do: Any, *args: Any) -> str:
    try:
        do(*args)
    except hub.SourceUnavailable as error:
        return str(error)
    raise AssertionError("not refused")


def small(cache: Path) -> dict[str, Any]:
    """Three training shards: what is given, and from where it goes on."""
    with running(tinystories(TRAIN, VALIDATION)) as fake:
        stories = hub.TinyStories(cache)
        found: dict[str, Any] = {"why": client.unreachable(), "heldout": stories.heldout(20)}
        with closing(stories.train()) as train:
            found["few"] = list(itertools.islice(train, 10))
        found["downloads"] = fake.downloads()
        train = stories.train()
        states, documents = [train.state()], []
        for document in train:
            documents.append(document)
            states.append(json.loads(json.dumps(train.state())))
        found["documents"], found["all held out"] = documents, stories.heldout(None)
        found["rests"] = [list(stories.train(states[number])) for number in RESUMED_AT]
        again = stories.train(states[150])
        next(again)
        found["resumed twice"] = list(stories.train(again.state()))
        found["another version"] = refusal(stories.train, {"stream": None, "given": 3})
    return found


def large(cache: Path) -> dict[str, Any]:
    """One training shard of 19 MB: what is asked for."""
    texts = [f"{i}: {os.urandom(400).hex()}" for i in range(NUM_LARGE)]
    files = tinystories([texts], VALIDATION, rows_per_group=NUM_LARGE // NUM_GROUPS)
    found: dict[str, Any] = {"size": max(map(len, files.values()))}
    with running(files) as fake:
        stories = hub.TinyStories(cache)
        for race in ("first", "later"):
            assert client.unreachable() is None and len(stories.heldout(20)) == 20
            if race == "first":
                with closing(stories.train()) as train:
                    next(itertools.islice(train, NUM_LARGE // 2 - 1, None))
            found[race] = [asdict(request) for request in fake.requests]
            fake.requests.clear()
        hub._parquet.cache_clear()
        with closing(stories.train()) as train:
            next(itertools.islice(train, NUM_SLOW - 1, None))
            time.sleep(1)
            state, found["read"] = train.state(), sum(r.num_bytes for r in fake.requests)
        with closing(stories.train(state)) as train:
            found["next"] = next(train)
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
