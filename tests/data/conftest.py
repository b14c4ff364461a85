"""Documents, files of every kind with them, and a source that says what was asked of it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speedrun.data.heldout import HeldOut
from speedrun.data.loader import TokenStream
from speedrun.data.source import Counted, SourceUnavailable
from speedrun.data.tokenizer import EOT, shipped

LINES = {
    "jsonl": lambda text: json.dumps({"text": text}) + "\n",
    "marked txt": "{}\n<|endoftext|>\n".format,
    "blank-line txt": "{}\n\n".format,
}


@pytest.fixture
def write_file():
    """`write_file(kind, stem, documents)` makes a file that holds them and returns its path."""

    def write(kind: str, stem: Path, documents: list[str]) -> Path:
        stem.parent.mkdir(parents=True, exist_ok=True)
        path = stem.with_name(f"{stem.name}.{kind.split()[-1]}")
        if kind == "parquet":  # its row groups are small, so that several make a file
            pq.write_table(pa.table({"text": documents}), path, row_group_size=3)
        else:
            path.write_text("".join(map(LINES[kind], documents)), encoding="utf-8")
        return path

    return write


@pytest.fixture(params=["parquet", *LINES])
def kind(request) -> str:
    """Each kind of local file in turn."""
    return request.param


class FakeSource:
    """Documents from a list; `drawn` counts them, `resumed` keeps the states it was given."""

    origin, name = "local", "fake"

    def __init__(self, documents, fails_at: int | None = None, fingerprint: str = "0" * 64) -> None:
        self.documents, self.fails_at, self.train_fingerprint = documents, fails_at, fingerprint
        self.drawn = 0
        self.resumed: list[dict | None] = []

    def train(self, state=None):
        self.resumed.append(state)
        start = state["doc"] if state else 0
        return Counted(self._documents(start), start)

    def _documents(self, start: int):
        for number in range(start, len(self.documents)):
            if number == self.fails_at:
                raise SourceUnavailable("the line was cut")
            self.drawn += 1
            yield self.documents[number]

    def heldout(self, limit):
        return ["a held-out story", "another held-out story"][:limit]


@pytest.fixture
def fake_source():
    """`fake_source(documents, fails_at=None)` makes a source that says what was asked of it."""
    return FakeSource


@pytest.fixture
def heldout() -> HeldOut:
    return HeldOut(FakeSource([]).heldout(None))


@pytest.fixture(scope="session")
def tokenizer():
    return shipped()


@pytest.fixture
def open_stream(tmp_path, heldout, tokenizer):
    """`open_stream(source)` makes a stream on one cache folder, not yet started."""

    def opened(source, heldout=heldout, tokenizer=tokenizer, folder=tmp_path / "tokens"):
        return TokenStream(source, heldout, tokenizer, folder, context=8, batch_rows=3)

    return opened


@pytest.fixture
def tokens_of(tokenizer):
    """The token stream that documents should give."""

    def tokens(documents):
        parts = [[EOT], *(part for text in documents for part in (tokenizer.encode(text), [EOT]))]
        return np.concatenate(parts).astype(np.int32)

    return tokens
