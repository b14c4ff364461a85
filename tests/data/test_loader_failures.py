"""The stream under failures: sources, rows, disks and workers that fail, and its end."""

import threading
import time

import numpy as np
import pytest
from helpers.streams import stories, take, targets, until_idle

from speedrun.data import loader as module
from speedrun.data.local.source import LocalFiles
from speedrun.data.source import SourceUnavailable


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


@pytest.mark.parametrize("more", ["null\n", '"one more story"\n'])
def test_data_that_change_while_they_are_trained_on_end_early(open_stream, tmp_path, more):
    """That is no fault of the network: the run does not rank."""
    path = tmp_path / "stories.jsonl"
    path.write_text("".join(f'"{text}"\n' for text in stories(1000)))
    source = LocalFiles(path)
    assert source.train_fingerprint
    with open_stream(source) as stream:
        take(stream, 1)
        with path.open("a") as file:
            file.write(more)
        take(stream, 1000)
    assert stream.has_bad_row and "changed after it was read whole" in str(stream.failure)


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
