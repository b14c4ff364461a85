"""TinyStories streamed from the Hugging Face hub at a pinned revision."""

import contextlib
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speedrun.data.heldout import HeldOut
from speedrun.data.hub import client, failures
from speedrun.data.hub.failures import REPO, REVISION
from speedrun.data.source import Documents, SourceUnavailable
from speedrun.system.files import write_atomic

LOOK_S = 25.0  # for the held-out documents and the first training documents
PATIENCE_S = 20.0  # for one chunk of documents, all retries of the client library together
_CHUNK_DOCS = 64
_PIECE_GROUPS = 16  # row groups that a resumed stream reads again, at most
BLOCK_BYTES = 4 << 20  # of one request, and so read ahead

FINGERPRINT = hashlib.sha256(f"{REPO}@{REVISION}".encode()).hexdigest()  # of the training split
_KEPT = f"heldout-{REVISION[:8]}-{{}}.json"  # so many held-out documents, or all


@functools.lru_cache(maxsize=8)
def _parquet(file: str) -> Any:
    import huggingface_hub
    import pyarrow.parquet

    opened = huggingface_hub.HfFileSystem().open(file, block_size=BLOCK_BYTES)
    with _sound(file):
        return pyarrow.parquet.ParquetFile(opened, pre_buffer=False)


@contextlib.contextmanager
def _sound(file: str) -> Iterator[None]:
    """Say of a file that cannot be read as parquet that it came damaged."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, KeyError, UnicodeError) as error:
        # Of a failing connection come subclasses of OSError, of damaged content OSError itself.
        if isinstance(error, OSError) and type(error) is not OSError:
            raise
        name = "/".join(file.split("/")[-2:])
        raise SourceUnavailable(
            f"{name} came damaged from {failures.server()}: not a whole parquet file with text"
        ) from None


def _rows(files: list[str], firsts: list[int]) -> Iterator[dict[str, str | None]]:
    """Rows of the pieces of files that begin at row groups `firsts`, read as they are consumed.

    The reader of `datasets` itself reads a file to its end however slowly it is consumed.
    """
    for file, first in zip(files, firsts, strict=True):
        parquet = _parquet(file)
        groups = range(first, min(first + _PIECE_GROUPS, parquet.num_row_groups))
        batches = parquet.iter_batches(
            batch_size=_CHUNK_DOCS, row_groups=list(groups), columns=["text"], use_threads=False
        )
        while True:
            with _sound(file):
                batch = next(batches, None)
                texts = [] if batch is None else batch.column("text").to_pylist()
            if batch is None:
                break
            yield from ({"text": text} for text in texts)


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

        chunk, after = client.within(PATIENCE_S, fetch)
        if not chunk:
            raise StopIteration
        self._before, self._after = self._after, after
        self._chunk, self._given = chunk, 0

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # given up, its generator still waits for the network
            self._documents.close()

    def interrupt(self) -> None:
        client.give_up()

    def state(self) -> dict[str, Any]:
        return {"stream": self._before, "given": self._given, "piece_groups": _PIECE_GROUPS}


class TinyStories:
    """Data source of `roneneldan/TinyStories`, of which only what the run needs is read."""

    name, origin, train_fingerprint = "tinystories", "hub", FINGERPRINT

    def __init__(self, cache: Path, offline: str | None = None) -> None:
        self._cache, self._offline = cache, offline
        self._heldout: dict[int | None, list[str]] = {}

    def look(self, limit: int | None, *, train: bool) -> str | None:
        """The reason why the held-out documents cannot be read, if there is one.

        With `train` or where they come from the hub, the first training documents are tried, too.
        Takes at most LOOK_S.
        """

        import datasets  # noqa: F401  # takes seconds, which are none of the hub's

        def read() -> None:
            self.heldout(limit)
            with contextlib.closing(self.train()) as documents:
                next(documents, None)

        try:
            if train or self.cached(limit) is None:
                client.within(LOOK_S, read)
        except SourceUnavailable as error:
            return str(error)
        return None

    def num_cached(self) -> int:
        """Number of held-out documents that earlier runs left in the cache."""
        return max(map(len, map(_read, self._files())), default=0)

    def _files(self) -> list[Path]:
        return sorted(self._cache.glob(_KEPT.format("*")))

    def cached(self, limit: int | None) -> list[str] | None:
        """The first `limit` held-out documents as an earlier run left them; None if none did."""
        if limit in self._heldout:
            return self._heldout[limit]
        own, whole = (self._cache / _KEPT.format(name) for name in (limit or "all", "all"))
        for file in (own, whole, *self._files()):
            documents = _read(file)
            if documents and (file in (own, whole) or len(documents) >= (limit or math.inf)):
                return documents[:limit]
        return None

    def _open(self, split: str) -> Any:
        if self._offline is not None:
            raise SourceUnavailable(self._offline)
        import datasets

        client.resume()

        def load() -> Any:
            builder = datasets.load_dataset_builder(REPO, revision=REVISION)
            parts: dict[str, list] = {"files": [], "firsts": []}
            for file in map(str, (builder.config.data_files or {}).get(split, ())):
                firsts = range(0, _parquet(file).num_row_groups, _PIECE_GROUPS)
                parts["files"] += [file] * len(firsts)
                parts["firsts"] += firsts
            if not parts["files"]:
                raise SourceUnavailable(f"{failures.server()} has no {split} split of {REPO}")
            return datasets.IterableDataset.from_generator(_rows, gen_kwargs=parts)

        return client.within(PATIENCE_S, load)

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
        if (documents := self.cached(limit)) is None:
            with contextlib.closing(_Streamed(self._open("validation"))) as stream:
                documents = list(itertools.islice(filter(str.strip, stream), limit))
            with contextlib.suppress(OSError):  # a disk that is full or not ours
                kept = {"fingerprint": HeldOut(documents).fingerprint, "documents": documents}
                write_atomic(self._cache / _KEPT.format(limit or "all"), json.dumps(kept))
        self._heldout[limit] = documents
        return documents


def _read(file: Path) -> list[str]:
    """The documents of a file of the cache as they were kept; none where there is no such one."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if HeldOut(kept["documents"]).fingerprint == kept["fingerprint"]:
            return kept["documents"]
    return []
