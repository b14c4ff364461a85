"""Meets a hub on the loopback that misbehaves in many ways, and prints what was said as JSON.

A process of its own: the client libraries are silenced for good, and the environment changes.
Arguments: `troubles` or `race`, and a folder for the caches.
"""

import contextlib
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from helpers.fake_hub import FakeHub, black_hole, tinystories

from speedrun.config import Data
from speedrun.data.hub import client
from speedrun.data.hub import tinystories as hub
from speedrun.data.open import open_source
from speedrun.data.source import SourceUnavailable

SECRET = "hf_secret:swordfish@"  # a user and a password; nothing that is said may hold them
TRAIN = [[f"{i}: {random.Random(i).randbytes(300).hex()}" for i in range(640)]]
VALIDATION = [f"Held out {i}." for i in range(40)]
FILES = tinystories(TRAIN, VALIDATION)
WANTED = Data(eval_docs=20)

# What the hub does, by name; environment variables are in capitals.
TROUBLES: dict[str, dict[str, Any]] = {
    "none": {},
    "a token that is refused": {"refuses_tokens": True, "HF_TOKEN": "hf_secret"},
    "a token with curly quotes": {"HF_TOKEN": "“hf_secret”"},
    "a login for everybody": {"trouble": 401, "HF_TOKEN": "hf_secret"},
    "access refused": {"trouble": 403},
    "gone": {"trouble": 404},
    "busy once": {"once": 429, "headers": {"Retry-After": "1"}},
    "busy for an hour": {"trouble": 429, "headers": {"RateLimit": '"api";r=0;t=3600'}},
    "busy, at the files": {
        "trouble": 429,
        "trouble_at": "data/validation",
        "headers": {"Retry-After": "3600"},
    },
    "failing": {"trouble": 503},
    "failing at the files": {"trouble": 500, "trouble_at": "data/"},
    "files gone": {"trouble": 404, "trouble_at": "data/train"},
    "a page of a hotel": {"trouble": "html"},
    "a page in place of files": {"trouble": "html", "trouble_at": "data/"},
    "another service": {"trouble": "json"},
    "silent": {"trouble": "silent"},
    "silent at the files": {"trouble": "silent", "trouble_at": "data/"},
    "dripping": {"trouble": "drip"},
    "dripping files": {"trouble": "drip", "trouble_at": "data/"},
    "hanging up": {"trouble": "drop"},
    "cut in the middle": {"trouble": "cut", "trouble_at": "data/"},
    "truncated shards": {"trouble": "truncate", "trouble_at": "data/"},
    "wrong bytes": {"trouble": "garble", "trouble_at": "data/"},
    "nothing listens": {"endpoint": "closed"},
    "not TLS": {"endpoint": "https"},
    "no such name": {"endpoint": "http://user:hf_secret@no-such-host.invalid"},
    "no address": {"endpoint": "huggingface"},
    "a proxy that wants a password": {"proxy": 407},
    "a proxy that reaches nothing": {"proxy": 502},
    "a proxy that is not there": {"HTTP_PROXY": f"http://{SECRET}127.0.0.1:9"},
    "a proxy of another kind": {"ALL_PROXY": f"socks9://{SECRET}127.0.0.1:9"},
    "offline": {"HF_HUB_OFFLINE": "1"},
    "offline for datasets": {"HF_DATASETS_OFFLINE": "1"},
    "offline for transformers": {"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "yes"},
}
ANSWERED = ("none", "a token that is refused", "a token with curly quotes", "busy once")
LASTING = ("silent", "dripping", "silent at the files", "dripping files")
LASTING += ("failing at the files", "cut in the middle")
LATER = (404, 429, 503, "html", "silent", "drip", "drop", "cut", "truncate", "garble")


class Once(FakeHub):
    """A hub whose first answer is an error."""

    def current_trouble(self, path: str, token: str | None) -> int | str | None:
        trouble, self.trouble = super().current_trouble(path, token), None
        return trouble


def meet(trouble: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The source that a race gets from a hub with this trouble, and all that is said."""
    said: list[str] = []
    started_s = time.monotonic()
    with ExitStack() as stack:
        _arrange(trouble, folder, stack)
        started_s = time.monotonic()
        try:
            source = open_source(WANTED, said.append)
            heldout = source.heldout(20)
            with contextlib.closing(source.train()) as documents:
                first = next(documents)
        except SourceUnavailable as error:
            return {"error": str(error), "said": said, "took_s": time.monotonic() - started_s}
        took_s = time.monotonic() - started_s
        is_real = (heldout, first) == (VALIDATION[:20], TRAIN[0][0])
    return {"origin": source.origin, "real": is_real, "said": said, "took_s": took_s}


def die(trouble: str | int, folder: Path) -> dict[str, Any]:
    """A stream whose hub begins to misbehave after the first chunk of documents."""
    with ExitStack() as stack:
        fake = _arrange({}, folder, stack)
        hub.BLOCK_BYTES, hub.PATIENCE_S = 1 << 10, 20.0  # to open it
        documents = hub.TinyStories(folder).train()
        num, started_s = 0, time.monotonic()
        try:
            for num, _ in enumerate(documents, 1):
                fake.trouble, fake.headers = trouble, {"Retry-After": "3600"}
                hub.PATIENCE_S = 1.5
                if num % 64 == 1:
                    started_s = time.monotonic()
        except SourceUnavailable as error:
            took_s = time.monotonic() - started_s
            return {"error": str(error), "num": num, "took_s": took_s}
    raise AssertionError(f"{trouble}: read to the end")


def _arrange(trouble: Mapping[str, Any], folder: Path, stack: ExitStack) -> FakeHub:
    """Start the hub of a trouble and have the libraries of this process forget all others."""
    from datasets import config
    from huggingface_hub import HfFileSystem, constants, utils

    client.settle()
    client.resume()
    client._State.token_refused = None
    hub._parquet.cache_clear()
    HfFileSystem.clear_instance_cache()
    utils.close_session()
    fake = stack.enter_context((Once if "once" in trouble else FakeHub)(FILES))
    fake.trouble = trouble.get("trouble", trouble.get("once"))
    for name in ("trouble_at", "trouble_after", "headers", "refuses_tokens"):
        setattr(fake, name, trouble.get(name, getattr(fake, name)))
    endpoint = trouble.get("endpoint", fake.endpoint)
    if endpoint == "closed":
        with black_hole() as endpoint:
            pass
    elif endpoint == "https":
        endpoint = fake.endpoint.replace("http:", "https:")
    variables = {name: value for name, value in trouble.items() if name.isupper()}
    if "proxy" in trouble:
        fake.trouble = trouble["proxy"]
        variables["HTTP_PROXY"] = fake.endpoint.replace("//", f"//{SECRET}")
    os.environ.update(variables)
    stack.callback(lambda: [os.environ.pop(name) for name in variables])
    stack.callback(os.environ.__setitem__, "HF_HUB_OFFLINE", "0")
    constants.ENDPOINT = config.HF_ENDPOINT = endpoint
    constants.HF_HUB_CACHE = str(folder / "hf")
    constants.HUGGINGFACE_CO_URL_TEMPLATE = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    os.environ["SPEEDRUN_CACHE"] = str(folder)
    return fake


def race_on(folder: Path) -> dict[str, Any]:
    """A race whose hub fails after some documents."""
    from speedrun.training import race
    from speedrun.training.callbacks import Callbacks
    from speedrun.training.request import RunRequest
    from speedrun.training.signals import StopFlag

    said: list[str] = []

    class Kept(Callbacks):
        def notice(self, text: str) -> None:
            said.append(text)

    hub.BLOCK_BYTES = 1 << 10
    fails = {"trouble": 503, "trouble_after": 48, "headers": {"Retry-After": "3600"}}
    with ExitStack() as stack:
        fake = _arrange(fails, folder, stack)
        request = RunRequest(
            arch="ngram", params="200K", budget_s=9.0, data=WANTED, out=folder, tune="off"
        )
        found = race.race(request, Kept(), StopFlag(()))
        requests = [request.path for request in fake.requests]
    train, data = found.record.train, found.record.data
    events = [(event.kind, event.what) for event in train.events]
    told = {"status": found.record.status, "source": data.source, "events": events, "said": said}
    return told | {"downloads": sum(path.startswith("data/train") for path in requests)}


def main(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """All troubles in turn, before the first document and after it."""
    import datasets  # noqa: F401  # takes seconds

    usual = client.TIMEOUT_S, hub.LOOK_S
    client.SILENCE_S, client.WAIT_S = 0.5, 2.0
    numbers = itertools.count()
    for name, trouble in TROUBLES.items():
        # Patience is short only where all of it is spent: a busy machine needs its time.
        client.TIMEOUT_S, hub.LOOK_S = (1.0, 4.0) if name in LASTING else usual
        yield name, meet(trouble, folder / str(next(numbers)))
    for kind in LATER:
        yield f"later: {kind}", die(kind, folder / str(next(numbers)))


if __name__ == "__main__":
    asked, place = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(dict(main(place)) if asked == "troubles" else race_on(place)))
