"""The stream: rows tile the tokens, nothing runs ahead, and a second run goes on from the cache."""

import hashlib
import itertools
import threading
import time

import numpy as np
import pytest
from helpers.streams import CONTEXT, PER_BATCH, ROWS, stories, take, targets, until_idle

from speedrun.data.heldout import NONE_DROPPED, HeldOut, after
from speedrun.data.loader import QUEUE_BATCHES
from speedrun.data.source import Counted, SourceUnavailable
from speedrun.data.tokenizer import EOT, train


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
        assert stream.consumed().num_dropped == 2


def sha256(tokens: np.ndarray) -> str:
    return hashlib.sha256(tokens.astype("<u2").tobytes()).hexdigest()


@pytest.mark.parametrize("num_batches", [1, 5, 40])
def test_what_was_consumed_has_one_hash_whatever_was_read_ahead_or_cached(
    open_stream, fake_source, tokens_of, num_batches
):
    documents = stories(60)
    round_once = tokens_of(documents)
    num_targets = num_batches * PER_BATCH
    caches = []
    for num_ahead in (0, 0, 80, 0):
        with open_stream(fake_source(documents)) as stream:
            take(stream, num_batches)
            time.sleep(0.02)
            found = stream.consumed()
            take(stream, num_ahead)
        expected = [EOT, *np.resize(round_once[1:], num_targets)]
        assert found.sha256 == sha256(np.array(expected)), num_ahead
        caches.append(found.cache)
    assert caches[0] == "cold" and caches[-1] == "warm"


def test_a_cache_that_holds_a_part_of_what_is_consumed_is_partial(open_stream, fake_source):
    documents = stories(900)
    for num_batches, state in ((1, "cold"), (100, "partial"), (1, "warm")):
        with open_stream(fake_source(documents)) as stream:
            take(stream, num_batches)
        assert stream.consumed().cache == state


@pytest.mark.parametrize("num_batches", [1, 3, 4, 30])
def test_dropped_documents_are_those_before_the_last_token_consumed(
    open_stream, fake_source, tokens_of, num_batches
):
    """Not those read ahead: the record of a run does not depend on the cache it found."""
    twins = ["A HELD-OUT  story\n", "another held-out story", "a held-out story"]
    documents = [*stories(3), twins[0], *stories(9), twins[1], *stories(2), twins[2]]
    kept = [text for text in documents if text not in twins]
    starts = [len(tokens_of(kept[:num])) for num in (3, 12, 14)]
    num_consumed = num_batches * PER_BATCH
    is_round = num_consumed >= len(tokens_of(kept)) - 1
    expected = [t for t, at in zip(twins, starts, strict=True) if at <= num_consumed or is_round]
    for _ in range(2):
        with open_stream(fake_source(documents)) as stream:
            take(stream, num_batches)
        found, digest = stream.consumed(), NONE_DROPPED
        for text in expected:
            digest = after(digest, text)
        assert (found.num_dropped, found.dropped_sha256) == (len(expected), digest)
    assert len(expected) == {1: 0, 3: 1, 4: 1, 30: 3}[num_batches]


def test_an_edited_cache_is_not_trained_on(open_stream, fake_source, tmp_path):
    with open_stream(fake_source(stories(200))) as stream:
        honest = [rows.copy() for rows in take(stream, 20)]
    (file,) = (tmp_path / "tokens").glob("*/tokens.bin")
    raw = bytearray(file.read_bytes())
    raw[100:200] = bytes(100)
    file.write_bytes(raw)
    with open_stream(fake_source(stories(200))) as stream:
        assert stream.has_rebuilt_cache and stream.num_cached_at_start == 0
        np.testing.assert_array_equal(take(stream, 20), honest)


def test_a_stream_that_is_closed_while_it_waits_has_not_ended(open_stream, fake_source):
    source = fake_source(stories(10))
    waiting, gate = threading.Event(), threading.Event()

    class Slow(Counted):
        def __next__(self):
            waiting.set()
            gate.wait()
            raise SourceUnavailable("interrupted")

        def interrupt(self):
            gate.set()

    source.train = lambda state=None: Slow(iter(()), 0)
    with open_stream(source) as stream:
        waiting.wait()
    assert stream.epochs is None and stream.failure is None
