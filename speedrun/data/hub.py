"""TinyStories streamed from the Hugging Face hub at a pinned revision."""

import atexit
import contextlib
import functools
import hashlib
import itertools
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from speedrun.data.source import Documents, SourceUnavailable
from speedrun.system.files import write_atomic
from speedrun.system.timeout import CallTimedOut, call_with_timeout
from speedrun.text import reason

REPO = "roneneldan/TinyStories"
REVISION = "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"
TIMEOUT_S = 3.0  # for one answer
TRIES = 2
PATIENCE_S = 20.0  # for one chunk of documents, all retries of the client library together
EXIT_PATIENCE_S = 20.0  # for a read that is under way when the process ends
_CHUNK_DOCS = 64
_PIECE_GROUPS = 16  # row groups that a resumed stream reads again, at most
BLOCK_BYTES = 4 << 20  # of one request, and so read ahead
_THREAD = "hub"

_KEPT = f"heldout-{REVISION[:8]}-{{}}.json"  # so many held-out documents, or all

T = TypeVar("T")
_given_up = threading.Event()


def unreachable() -> str | None:
    """Reason that the hub cannot serve the data set now; None if it can. Takes a few seconds."""
    import huggingface_hub

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set"

    _given_up.clear()

    def ask() -> None:
        huggingface_hub.HfApi().dataset_info(REPO, revision=REVISION, timeout=TIMEOUT_S)

    why = ""
    for _ in range(TRIES):
        try:
            return _within(TIMEOUT_S, ask)
        except Exception as error:  # the client library's errors are many and undocumented
            why = _why(error)
    return why


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, SourceUnavailable) else reason(error, 120)


def _within(seconds: float, do: Callable[[], T]) -> T:
    """The result of `do`; raises SourceUnavailable where that takes too long.

    The libraries' own timeouts bound each wait, but not their sum, a silent name server or an
    answer that drips. A call that is given up ends by itself some time later.
    """
    try:
        return call_with_timeout(seconds, do, thread=_THREAD)
    except CallTimedOut:
        _given_up.set()
        raise SourceUnavailable(f"no answer within {seconds:g} s") from None


@functools.cache
def _tame_clients() -> None:
    """Silence the client libraries, and end their requests once we have given up."""
    import huggingface_hub

    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    example = huggingface_hub.get_session()

    def refuse(request: object) -> None:
        if _given_up.is_set():
            raise SourceUnavailable("given up")

    def forget_waits(response: Any) -> None:  # a hub that is busy asks for minutes, even an hour
        for header in ("retry-after", "ratelimit"):
            response.headers.pop(header, None)

    def client() -> Any:
        hooks = {
            "request": [*example.event_hooks["request"], refuse],
            "response": [*example.event_hooks["response"], forget_waits],
        }
        return type(example)(event_hooks=hooks, follow_redirects=True, timeout=None)

    huggingface_hub.set_client_factory(client)
    atexit.register(_settle)


def _settle() -> None:
    """Wait for reads under way: an interpreter that ends under a read in pyarrow may hang."""
    _given_up.set()
    deadline_s = time.monotonic() + EXIT_PATIENCE_S
    while time.monotonic() < deadline_s and any(t.name == _THREAD for t in threading.enumerate()):
        time.sleep(0.05)


@functools.lru_cache(maxsize=8)
def _parquet(file: str) -> Any:
    import huggingface_hub
    import pyarrow.parquet

    opened = huggingface_hub.HfFileSystem().open(file, block_size=BLOCK_BYTES)
    return pyarrow.parquet.ParquetFile(opened, pre_buffer=False)


def _rows(files: list[str], firsts: list[int]) -> Iterator[dict[str, str | None]]:
    """Rows of the pieces of files that begin at row groups `firsts`, read as they are consumed.

    The reader of `datasets` itself reads a file to its end however slowly it is consumed.
    """
    for file, first in zip(files, firsts, strict=True):
        parquet = _parquet(file)
        groups = range(first, min(first + _PIECE_GROUPS, parquet.num_row_groups))
        for batch in parquet.iter_batches(
            batch_size=_CHUNK_DOCS, row_groups=list(groups), columns=["text"], use_threads=False
        ):
            yield from ({"text": text} for text in batch.column("text").to_pylist())


class _Streamed:
    """Documents of a `datasets` stream, resumable through its own state.

    They are fetched a chunk at a time; the state is that of the stream before the chunk, and
    the number of documents of the chunk that were given.
    """

    def __init__(self, dataset: Any, state: dict[str, Any] | None = None) -> None:
        state = state or {"stream": None, "given": 0}
        if state["stream"] is not None:
            dataset.load_state_dict(state["stream"])
        self._dataset = dataset
        self._documents: Any = iter(dataset)  # a generator
        self._before = self._after = state["stream"]
        self._chunk: list[str] = []
        self._given = 0
        for _ in itertools.islice(self, state["given"]):
            pass

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._given == len(self._chunk):
            self._fetch()
        self._given += 1
        return self._chunk[self._given - 1]

    def _fetch(self) -> None:
        def fetch() -> tuple[list[str], dict[str, Any]]:
            chunk = [row["text"] or "" for row in itertools.islice(self._documents, _CHUNK_DOCS)]
            return chunk, self._dataset.state_dict()

        try:
            chunk, after = _within(PATIENCE_S, fetch)
        except Exception as error:  # as above
            raise SourceUnavailable(f"the hub stopped answering ({_why(error)})") from error
        if not chunk:
            raise StopIteration
        self._before, self._after = self._after, after
        self._chunk, self._given = chunk, 0

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # given up, its generator still waits for the network
            self._documents.close()

    def state(self) -> dict[str, Any]:
        return {"stream": self._before, "given": self._given, "piece_groups": _PIECE_GROUPS}


class TinyStories:
    """Data source of `roneneldan/TinyStories`, of which only what the run needs is read."""

    name, origin = "tinystories", "hub"

    def __init__(self, cache: Path, offline: str | None = None) -> None:
        self.train_fingerprint = hashlib.sha256(f"{REPO}@{REVISION}".encode()).hexdigest()
        self._cache, self._offline = cache, offline

    def is_cached(self) -> bool:
        """Whether held-out documents of an earlier run are in the cache."""
        return any(self._cache.glob(_KEPT.format("*")))

    def _open(self, split: str) -> Any:
        if self._offline is not None:
            raise SourceUnavailable(f"the hub does not answer ({self._offline})")
        import datasets

        _tame_clients()
        _given_up.clear()

        def load() -> Any:
            builder = datasets.load_dataset_builder(REPO, revision=REVISION)
            parts: dict[str, list] = {"files": [], "firsts": []}
            for file in map(str, (builder.config.data_files or {})[split]):
                firsts = range(0, _parquet(file).num_row_groups, _PIECE_GROUPS)
                parts["files"] += [file] * len(firsts)
                parts["firsts"] += firsts
            return datasets.IterableDataset.from_generator(_rows, gen_kwargs=parts)

        try:
            return _within(PATIENCE_S, load)
        except Exception as error:  # as above
            raise SourceUnavailable(f"the hub does not answer ({_why(error)})") from error

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Training documents from the start, or from after a saved state."""
        if state is not None and state.get("piece_groups") != _PIECE_GROUPS:
            raise SourceUnavailable(
                f"the position kept in {self._cache.parent} is another version's: remove that"
                " folder to read on from the hub"
            )
        return _Streamed(self._open("train"), state)

    def heldout(self, limit: int | None) -> list[str]:
        """The first `limit` held-out documents (all for None), from the cache or the hub."""
        own, whole = (self._cache / _KEPT.format(name) for name in (limit or "all", "all"))
        # An earlier run may have asked for as many or more.
        for file in (own, whole, *sorted(self._cache.glob(_KEPT.format("*")))):
            documents = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
            if documents and (file in (own, whole) or len(documents) >= (limit or math.inf)):
                return documents[:limit]
        with contextlib.closing(_Streamed(self._open("validation"))) as stream:
            documents = list(itertools.islice(filter(str.strip, stream), limit))
        write_atomic(own, json.dumps(documents))
        return documents
