"""The stream: rows tile the tokens, nothing runs ahead, and a second run goes on from the cache."""

import itertools
import threading
import time

import numpy as np
import pytest

from speedrun.data import loader as module
from speedrun.data.heldout import HeldOut
from speedrun.data.loader import QUEUE_BATCHES
from speedrun.data.local.source import LocalFiles
from speedrun.data.source import SourceUnavailable
from speedrun.data.tokenizer import EOT, train

CONTEXT, ROWS = 8, 3  # as `open_stream` makes them
PER_BATCH = CONTEXT * ROWS


def stories(count: int) -> list[str]:
    return [f"Story {i}: the {'big ' * (i % 7)}dog ran home." for i in range(count)]


def take(stream, num_batches: int) -> list[np.ndarray]:
    return [stream.next_rows() for _ in range(num_batches)]


def targets(batches) -> np.ndarray:
    """Targets of the batches in order, after checking that the rows tile."""
    rows = np.concatenate(batches)
    assert rows.shape[1] == CONTEXT + 1
    assert (rows[1:, 0] == rows[:-1, -1]).all()
    return rows[:, 1:].ravel()


def until_idle(source) -> int:
    """Wait until the worker draws no more; return how many documents it has drawn."""
    before = -1
    while source.drawn != before:
        before = source.drawn
        time.sleep(0.25)
    return before


def test_every_token_is_a_target_exactly_once(open_stream, fake_source, tokens_of):
    documents = stories(400)
    expected = tokens_of(documents)
    num_batches = (len(expected) - 1) // PER_BATCH
    with open_stream(fake_source(documents)) as stream:
        assert stream.epochs is None
        batches = take(stream, num_batches)
    for rows in batches:
        assert (rows.shape, rows.dtype) == ((ROWS, CONTEXT + 1), np.int32)
        assert rows.flags.c_contiguous
    assert batches[0][0, 0] == EOT
    # Equality leaves no room for padding, gaps or repeats.
    assert (targets(batches) == expected[1 : 1 + num_batches * PER_BATCH]).all()
    assert stream.num_consumed == num_batches * PER_BATCH and stream.failure is None


@pytest.mark.parametrize("documents", [stories(10), ["Hi."]], ids=["ten", "less than a batch"])
def test_the_stream_goes_round_when_the_documents_end(
    open_stream, fake_source, tokens_of, documents
):
    round_once = tokens_of(documents)[1:]
    with open_stream(fake_source(documents)) as stream:
        got = targets(take(stream, 2 + 3 * len(round_once) // PER_BATCH))
    # In each round every token is a target once: the closing mark opens the next round.
    assert (got == np.resize(round_once, len(got))).all()
    assert stream.epochs == pytest.approx(len(got) / len(round_once))
    assert stream.failure is None


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("num_tokens", [1, 7, 8, 9, 23, 24, 25, 32, 48, 100])
def test_a_stream_of_some_rounds_gives_every_target_so_often(
    open_stream, fake_source, tokens_of, rounds, num_tokens
):
    """Rows and batches that end at the documents' end, just before it and just after it."""
    document = "a" * 300
    expected = tokens_of([document])[: num_tokens + 1]

    class Cut:
        vocab, fingerprint = 257, "cut"

        def encode(self, text):
            return expected[1:-1].astype(np.uint16)

    opened = open_stream(fake_source([document]), tokenizer=Cut())
    opened.rounds = rounds
    with opened as stream:
        got: list[int] = []
        while (stream.epochs or 0.0) < rounds:
            rows = stream.next_rows(5.0)
            assert rows is not None and rows.dtype == np.int32
            assert rows.shape[1] == CONTEXT + 1 or len(rows) == 1
            got += rows[:, 1:].ravel().tolist()
        assert stream.next_rows(0.05) is None
    once = [*expected[1:-1], EOT]
    assert got == once * rounds and stream.epochs == rounds


def test_nothing_is_tokenized_beyond_the_queue(open_stream, fake_source, tokens_of):
    documents = stories(5000)
    lengths = [len(tokens_of([document])) - 1 for document in documents[:500]]
    source = fake_source(documents)
    with open_stream(source) as stream:
        for num_taken in (0, 30):
            take(stream, num_taken)
            # The queue, the batch in the worker's hand, and the chunk that filled it.
            needed = (num_taken + QUEUE_BATCHES + 1) * PER_BATCH + 1
            enough = next(i for i, n in enumerate(itertools.accumulate(lengths), 1) if n >= needed)
            assert until_idle(source) <= enough + 16


def test_a_second_run_starts_from_the_cache_and_goes_on_where_it_ends(
    open_stream, fake_source, tokens_of
):
    documents = stories(600)
    first = fake_source(documents)
    with open_stream(first) as stream:
        take(stream, 20)
    second = fake_source(documents)
    with open_stream(second) as stream:
        assert stream.num_cached_at_start >= 20 * PER_BATCH
        batches = take(stream, 5)
        until_idle(second)
        assert second.resumed == []  # not even opened
        batches += take(stream, 60)
    assert second.resumed == [{"doc": first.drawn}]
    assert (targets(batches) == tokens_of(documents)[1 : 1 + 65 * PER_BATCH]).all()


def test_a_source_that_was_exhausted_is_not_opened_again(open_stream, fake_source):
    with open_stream(fake_source(stories(10))) as stream:
        first = take(stream, 10)
    source = fake_source(stories(10))
    with open_stream(source) as stream:
        np.testing.assert_array_equal(take(stream, 10), first)
    assert source.resumed == []


def test_patience_ends_the_wait_and_loses_nothing(open_stream, fake_source):
    source = fake_source(stories(10))
    gate, train_documents = threading.Event(), source.train
    source.train = lambda state=None: gate.wait() and train_documents(state)
    with open_stream(source) as stream:
        assert stream.next_rows(0.01) is None
        assert stream.num_consumed == 0
        gate.set()
        late = stream.next_rows()
    with open_stream(fake_source(stories(10))) as stream:
        assert (stream.next_rows(5.0) == late).all()


@pytest.mark.parametrize(
    "other",
    [
        {"source": {"fingerprint": "1" * 64}},
        {"heldout": HeldOut(["one", "two"])},
        {"tokenizer": train(iter(stories(10)), 300)},
    ],
    ids=["data", "split", "vocabulary"],
)
def test_the_cache_belongs_to_data_split_and_vocabulary(open_stream, fake_source, other):
    with open_stream(fake_source(stories(10))) as stream:
        take(stream, 1)
    options = dict(other)
    source = fake_source(stories(10), **options.pop("source", {}))
    with open_stream(source, **options) as stream:
        take(stream, 1)
    assert source.resumed == [None]


def test_two_streams_at_once_leave_one_whole_cache(open_stream, fake_source, tokens_of):
    documents = stories(600)
    expected = tokens_of(documents)[1:]
    with open_stream(fake_source(documents)) as one, open_stream(fake_source(documents)) as two:
        batches = [(one.next_rows(), two.next_rows()) for _ in range(20)]
        assert two.num_cached_at_start == 0
    with open_stream(fake_source(documents)) as three:
        assert three.num_cached_at_start > 0
        later = take(three, 80)
    for of_stream in (*zip(*batches, strict=True), later):
        got = targets(of_stream)
        assert (got == expected[: len(got)]).all()


def test_equals_of_held_out_documents_are_dropped_and_counted(open_stream, fake_source, tokens_of):
    documents = stories(40)
    poisoned = [*documents[:7], "A HELD-OUT  story\n", *documents[7:], "another held-out story"]
    poisoned[20:20] = ["", " \n"]  # empty ones are passed by, not counted
    expected = tokens_of(documents)[1:]
    for _ in range(2):  # the second run counts what the first one dropped
        with open_stream(fake_source(poisoned)) as stream:
            got = targets(take(stream, 2 * len(expected) // PER_BATCH))
        assert (got == np.resize(expected, len(got))).all()
        assert stream.num_dropped == 2


def test_a_source_that_fails_midway_is_gone_round_again(open_stream, fake_source, tokens_of):
    documents = stories(600)
    with open_stream(fake_source(documents, fails_at=40)) as stream:
        got = targets(take(stream, 100))
    assert stream.failure == "the line was cut" and not stream.has_bad_row
    # The chunk in which it failed is left out: 32 whole documents stay.
    round_once = tokens_of(documents[:32])[1:]
    assert (got == np.resize(round_once, len(got))).all()
    assert stream.epochs == pytest.approx(len(got) / len(round_once))
    # The next run tries again from there.
    healed = fake_source(documents)
    with open_stream(healed) as stream:
        got = targets(take(stream, 100))
    assert healed.resumed == [{"doc": 32}] and stream.failure is None
    assert (got == tokens_of(documents)[1 : 1 + len(got)]).all()


def test_a_row_that_went_bad_since_the_data_were_read_is_no_fault_of_the_network(
    open_stream, tmp_path
):
    path = tmp_path / "stories.jsonl"
    path.write_text("".join(f'"{text}"\n' for text in stories(100)))
    source = LocalFiles(path)
    assert source.train_fingerprint
    with path.open("a") as file:
        file.write("null\n")
    with open_stream(source) as stream:
        take(stream, 200)
    assert stream.has_bad_row and "line 101" in str(stream.failure)


@pytest.mark.parametrize(
    ("documents", "fails_at", "says"),
    [(stories(5), 0, "the line was cut"), (["", " \n"] * 20, None, "all empty")],
)
def test_a_source_without_a_document_is_an_error_a_person_can_read(
    open_stream, fake_source, documents, fails_at, says
):
    assert issubclass(SourceUnavailable, ValueError)
    stream = open_stream(fake_source(documents, fails_at))
    with stream, pytest.raises(SourceUnavailable, match=says):
        stream.next_rows()


def test_an_error_in_the_worker_reaches_the_trainer(open_stream, fake_source, monkeypatch):
    def broken(self, text):
        raise RuntimeError("a bug")

    monkeypatch.setattr(module.Tokenizer, "encode", broken)
    with open_stream(fake_source(stories(5))) as stream, pytest.raises(RuntimeError, match="a bug"):
        stream.next_rows()


@pytest.mark.parametrize("num_taken", [0, 3])
def test_the_worker_stops_promptly_and_lets_the_source_go(
    open_stream, fake_source, monkeypatch, num_taken
):
    closed = []
    source = fake_source(stories(5000))
    documents = source.train()
    monkeypatch.setattr(documents, "close", lambda: closed.append(True))
    source.train = lambda state=None: documents
    started_s = 0.0
    with pytest.raises(KeyboardInterrupt), open_stream(source) as stream:
        take(stream, num_taken)
        until_idle(source)
        started_s = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - started_s < 1.0
    assert closed == [True]
    assert "token-stream" not in {thread.name for thread in threading.enumerate()}


def test_a_full_disk_does_not_cost_the_run(open_stream, fake_source, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    with open_stream(fake_source(stories(500))) as stream:
        expected = [stream.next_rows() for _ in range(20)]
        assert stream.cache_problem is None
    monkeypatch.setattr("speedrun.data.token_cache.write_atomic", full)
    monkeypatch.setattr(module, "_SAVE_EVERY_DOCS", 32)
    with open_stream(fake_source(stories(500)), folder=tmp_path / "full") as stream:
        assert all((stream.next_rows() == rows).all() for rows in expected)
    assert stream.cache_problem == "no space left on device"


def test_a_wait_for_a_document_does_not_hold_up_the_end(open_stream, fake_source):
    """A hub that stalls: whoever stops the race is not kept waiting, nor told of it."""
    source = fake_source(stories(200))
    train, interrupted = source.train, threading.Event()

    class Stalling:
        def __init__(self, documents):
            self.state, self.close, self._documents = documents.state, documents.close, documents
            self.interrupt = interrupted.set

        def __iter__(self):
            return self

        def __next__(self):
            if source.drawn >= 48:
                assert interrupted.wait(20)
                raise SourceUnavailable("given up")
            return next(self._documents)

    source.train = lambda state=None: Stalling(train(state))
    with open_stream(source) as stream:
        while stream.next_rows(1.0) is not None:
            pass
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 5 and stream.failure is None
