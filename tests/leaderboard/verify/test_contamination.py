"""Held-out text among training documents: found where it is, and no honest run accused."""

import itertools

import numpy as np
import pytest
from helpers.made_records import made

from leaderboard.verify import contamination
from leaderboard.verify.contamination import Shingles
from speedrun.data import tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.data.loader import TokenStream
from speedrun.data.source import Counted

WORDS = [f"w{i}" for i in range(500)]
TOKENIZER = tokenizer.shipped()


def text(seed: int, num_words: int = 40) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, num_words))


HELD = HeldOut([text(1), text(2), text(3), "A short one."])


class Texts:
    """Training documents from a list."""

    name, origin = "texts", "local"
    train_fingerprint = "a" * 64

    def __init__(self, documents) -> None:
        self.documents = documents

    def train(self, state=None):
        start = state["doc"] if state else 0
        return Counted(itertools.islice(iter(self.documents), start, None), start)

    def heldout(self, limit):
        return list(HELD.documents)


def search(documents, num_tokens=10**9, epochs=None, dropped=0, events=()):
    """The leaks that a search finds, and whether a claim of `dropped` documents agrees."""
    train = {"train.num_tokens": num_tokens, "train.epochs": epochs, "train.events": list(events)}
    record = made(changes=train | {"data.num_dropped_duplicates": dropped})
    found = contamination.search(Texts(documents), HELD, TOKENIZER, record)
    return found, contamination.agrees(found, record)


def mixed(held: str, share: float, seed: int) -> str:
    """The first `share` of a held-out document's shingles, then other words."""
    num_words = round(share * (40 - 12)) + 12
    return " ".join([*held.split()[:num_words], *text(seed, 60).split()])


def test_equal_documents_are_found_white_space_and_case_folded():
    found, _ = search([text(10), text(1).upper() + "\n", "a  SHORT one.", "  ", text(11)])
    assert (found.num_documents, found.num_equal, found.num_near) == (2, 2, 0)
    assert found.is_complete


@pytest.mark.parametrize(("share", "is_near"), [(1.0, True), (0.5, True), (0.46, False)])
def test_near_documents_share_half_of_the_shingles(share, is_near):
    found, _ = search([text(10), mixed(HELD.documents[1], share, 20), text(11)])
    assert found.num_near == is_near and found.num_equal == 0


def test_parts_of_several_repeated_parts_and_short_documents_are_never_near():
    parts = [mixed(HELD.documents[i], 0.4, 30 + i) for i in range(3)]
    once = " ".join(HELD.documents[0].split()[:13])
    for document in (" ".join(parts), " x ".join([once] * 30)):
        assert search([document])[0].num_near == 0
    shingles = Shingles(["A short one.", "Another."])
    assert not shingles.is_near("A short one. " * 20)
    assert not Shingles([]).is_near(text(1))


def test_only_what_the_run_consumed_is_searched():
    documents = [text(10), text(11), text(1), text(12), text(2), text(3)]
    sizes = [len(TOKENIZER.encode(d)) + 1 for d in documents]
    for num_tokens, equal in ((1, 0), (sizes[0] + sizes[1], 0), (sizes[0] + sizes[1] + 1, 1)):
        found, _ = search(documents, num_tokens)
        assert (found.num_equal, found.is_complete) == (equal, equal == 1)  # the rest is held out
    # Two rounds are no more than one.
    twice = 2 * (sizes[0] + sizes[1])
    assert search([text(i) for i in range(10, 20)], twice, epochs=2.0)[0].num_documents == 2


@pytest.mark.parametrize(
    ("dropped", "epochs", "agrees"),
    [(9, None, True), (0, None, False), (3, 1.5, True), (1, 1.5, False), (4, 1.5, False)],
)
def test_a_claim_must_be_possible(dropped, epochs, agrees):
    documents = [text(10), text(1), text(11), text(2), text(3)]
    total = sum(len(TOKENIZER.encode(documents[i])) + 1 for i in (0, 2))
    num_tokens = total if epochs is None else round(total * epochs)
    assert search(documents, num_tokens, epochs, dropped)[1] is agrees


def test_a_source_that_broke_off_need_not_have_counted_all():
    event = {"share": 1.0, "kind": "documents_ended", "what": "the network is gone"}
    documents = [text(10), text(1), text(11), text(2)]
    assert not search(documents, 10**6, 2.0, 1)[1]
    assert search(documents, 10**6, 2.0, 1, [event])[1]


@pytest.mark.parametrize(("num_batches", "with_cache"), [(1, False), (12, True)])
def test_no_honest_run_is_accused(tmp_path, num_batches, with_cache):
    """Whatever the real stream fetched ahead, or found in its cache."""
    documents = [text(100 + i, 30) if i % 5 else text(1 + i % 3) for i in range(150)]

    def consumed(num):
        kept = tmp_path / "tokens"
        with TokenStream(
            Texts(documents), HELD, TOKENIZER, kept, context=32, batch_rows=4
        ) as stream:
            batches = [stream.next_rows() for _ in range(num)]
            num_tokens = sum(rows[:, 1:].size for rows in batches if rows is not None)
        return num_tokens, stream.epochs, stream.consumed().num_dropped

    if with_cache:
        consumed(200)
    found, agrees = search(documents, *consumed(num_batches))
    assert agrees and found.num_documents > 0, found
