"""TinyStories streamed from the Hugging Face hub at a pinned revision."""

import atexit
import contextlib
import functools
import hashlib
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from speedrun.data.source import Documents, SourceUnavailable
from speedrun.system.files import write_atomic
from speedrun.system.timeout import CallTimedOut, call_with_timeout

REPO = "roneneldan/TinyStories"
REVISION = "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"
TIMEOUT_S = 3.0  # for one answer
TRIES = 2
# The client libraries try again for minutes; a race of five has less patience. A chunk of
# documents seldom crosses the network at all: files are read some row groups at a time.
PATIENCE_S = 20.0
EXIT_PATIENCE_S = 20.0  # for a read that is under way when the process ends
_CHUNK_DOCS = 64
_PIECE_GROUPS = 16  # row groups that going on reads again, at most
BLOCK_BYTES = 4 << 20  # asked for at once, and so read ahead
_THREAD = "hub"

T = TypeVar("T")
_given_up = threading.Event()


def unreachable() -> str | None:
    """Why the hub cannot serve the data set now; None if it can. At most a few seconds."""
    # Imported here: half a second that runs on local files need not pay.
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
        except Exception as error:  # whatever the client library raises: no answer is no answer
            why = _first_line(error)
    return why


def _first_line(error: BaseException) -> str:
    if isinstance(error, SourceUnavailable):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__


def _within(seconds: float, do: Callable[[], T]) -> T:
    """What `do` returns; SourceUnavailable where that takes too long.

    The timeouts of the libraries bound each wait, but not their sum, a name server that is
    silent or an answer that drips. A call that is given up ends by itself some time later.
    """
    try:
        return call_with_timeout(seconds, do, thread=_THREAD)
    except CallTimedOut:
        _given_up.set()
        raise SourceUnavailable(f"no answer within {seconds:g} s") from None


@functools.cache
def _tame_clients() -> None:
    """Fewer tries, no talk in the live view, and none at all once we have given up."""
    import datasets.config as settings
    import huggingface_hub

    # Its defaults (20 tries, 5 to 60 s apart) would go on long after our patience has ended.
    settings.STREAMING_READ_MAX_RETRIES = settings.STREAMING_OPEN_MAX_RETRIES = 3
    for why in ("READ", "OPEN", "READ_SERVER_UNAVAILABLE", "READ_RATE_LIMIT"):
        setattr(settings, f"STREAMING_{why}_RETRY_INTERVAL", 1)
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
    """Wait until nobody reads: an interpreter that ends under a read in pyarrow may hang."""
    _given_up.set()
    deadline_s = time.monotonic() + EXIT_PATIENCE_S
    while time.monotonic() < deadline_s and any(t.name == _THREAD for t in threading.enumerate()):
        time.sleep(0.05)


@functools.lru_cache(maxsize=8)
def _parquet(file: str) -> Any:
    """A file on the hub, opened once: its footer tells where its row groups are."""
    import huggingface_hub
    import pyarrow.parquet

    opened = huggingface_hub.HfFileSystem().open(file, block_size=BLOCK_BYTES)
    return pyarrow.parquet.ParquetFile(opened, pre_buffer=False)


def _rows(files: list[str], firsts: list[int]) -> Iterator[dict[str, str | None]]:
    """Rows of the pieces of files that begin at row groups `firsts`, read as they are consumed.

    The reader behind `datasets` goes on to the end of a file however slowly it is consumed.
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

    They are fetched a chunk at a time: the state is that of the stream before the chunk, and
    how many of the chunk were given.
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
        for _ in range(state["given"]):
            next(self, None)

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
        except Exception as error:  # the client library's errors are many and undocumented
            raise SourceUnavailable(f"the hub stopped answering ({_first_line(error)})") from error
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
    """`roneneldan/TinyStories`: row groups are read as the run needs them."""

    name, origin = "tinystories", "hub"

    def __init__(self, cache: Path, offline: str | None = None) -> None:
        self.train_fingerprint = hashlib.sha256(f"{REPO}@{REVISION}".encode()).hexdigest()
        self._cache, self._offline = cache, offline

    def is_cached(self) -> bool:
        """Whether held-out documents of an earlier run are kept here."""
        return any(self._cache.glob(self._kept_name("*")))

    def _open(self, split: str) -> Any:
        if self._offline is not None:
            raise SourceUnavailable(f"the hub does not answer ({self._offline})")
        import datasets

        _tame_clients()
        _given_up.clear()

        def load() -> Any:
            builder = datasets.load_dataset_builder(REPO, revision=REVISION)
            files = [str(file) for file in (builder.config.data_files or {})[split]]
            pieces = [
                (file, first)
                for file in files
                for first in range(0, _parquet(file).num_row_groups, _PIECE_GROUPS)
            ]
            parts = {"files": [f for f, _ in pieces], "firsts": [first for _, first in pieces]}
            return datasets.IterableDataset.from_generator(_rows, gen_kwargs=parts)

        try:
            return _within(PATIENCE_S, load)
        except Exception as error:  # as above
            raise SourceUnavailable(f"the hub does not answer ({_first_line(error)})") from error

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        if state is not None and state.get("piece_groups") != _PIECE_GROUPS:
            raise SourceUnavailable(
                f"the position kept in {self._cache.parent} is another version's: remove that"
                " folder to read on from the hub"
            )
        return _Streamed(self._open("train"), state)

    def heldout(self, limit: int | None) -> list[str]:
        if (cached := self._cached(limit)) is not None:
            return cached
        with contextlib.closing(_Streamed(self._open("validation"))) as stream:
            texts = (text for text in stream if text.strip())
            documents = list(itertools.islice(texts, limit))
        write_atomic(self._kept(limit), json.dumps(documents))
        return documents

    def _cached(self, limit: int | None) -> list[str] | None:
        """The documents from what earlier runs kept, be it that they asked for more."""
        whole = (self._kept(limit), self._kept(None))
        for file in (*whole, *sorted(self._cache.glob(self._kept_name("*")))):
            if not file.is_file():
                continue
            documents = json.loads(file.read_text(encoding="utf-8"))
            if file in whole or (limit is not None and len(documents) >= limit):
                return documents[:limit]
        return None

    def _kept(self, limit: int | None) -> Path:
        return self._cache / self._kept_name("all" if limit is None else str(limit))

    @staticmethod
    def _kept_name(limit: str) -> str:
        return f"heldout-{REVISION[:8]}-{limit}.json"
