"""Held-out text among training documents: found where it is, and no honest run accused."""

import itertools

import numpy as np
import pytest

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


@pytest.fixture
def search(make_record):
    """`search(documents, num_tokens)` searches and judges a claim of `dropped` documents."""

    def searched(documents, num_tokens=10**9, epochs=None, dropped=0, events=()):
        record = make_record(
            {
                "train.num_tokens": num_tokens,
                "train.epochs": epochs,
                "data.num_dropped_duplicates": dropped,
                "train.events": list(events),
            }
        )
        found = contamination.search(Texts(documents), HELD, TOKENIZER, record)
        return found, contamination.agrees(found, record)

    return searched


def mixed(held: str, share: float, seed: int) -> str:
    """The first `share` of a held-out document's shingles, then other words."""
    num_words = round(share * (40 - 12)) + 12
    return " ".join([*held.split()[:num_words], *text(seed, 60).split()])


def test_equal_documents_are_found_white_space_and_case_folded(search):
    found, _ = search([text(10), text(1).upper() + "\n", "a  SHORT one.", "  ", text(11)])
    assert (found.num_documents, found.num_equal, found.num_near) == (2, 2, 0)
    assert found.is_complete


@pytest.mark.parametrize(("share", "is_near"), [(1.0, True), (0.5, True), (0.46, False)])
def test_near_documents_share_half_of_the_shingles(search, share, is_near):
    found, _ = search([text(10), mixed(HELD.documents[1], share, 20), text(11)])
    assert found.num_near == is_near and found.num_equal == 0


def test_halves_of_different_documents_do_not_add_up(search):
    parts = [mixed(HELD.documents[i], 0.4, 30 + i) for i in range(3)]
    assert search([" ".join(parts)])[0].num_near == 0


def test_a_repeated_shingle_counts_once(search):
    once = " ".join(HELD.documents[0].split()[:13])
    assert search([" x ".join([once] * 30)])[0].num_near == 0


def test_short_documents_are_never_near():
    shingles = Shingles(["A short one.", "Another."])
    assert not shingles.is_near("A short one. " * 20)
    assert not Shingles([]).is_near(text(1))


def test_only_what_the_run_consumed_is_searched(search):
    documents = [text(10), text(11), text(1), text(12), text(2), text(3)]
    sizes = [len(TOKENIZER.encode(d)) + 1 for d in documents]
    for num_tokens, equal in ((1, 0), (sizes[0] + sizes[1], 0), (sizes[0] + sizes[1] + 1, 1)):
        found, _ = search(documents, num_tokens)
        assert (found.num_equal, found.is_complete) == (equal, equal == 1)  # the rest is held out
    # Two rounds are no more than one.
    half = sizes[0] + sizes[1]
    found, _ = search([text(i) for i in range(10, 20)], 2 * half, epochs=2.0)
    assert found.num_documents == 2


@pytest.mark.parametrize(
    ("dropped", "epochs", "agrees"),
    [
        (1, None, True),
        (0, None, False),
        (9, None, True),
        (3, 1.5, True),
        (1, 1.5, False),
        (4, 1.5, False),
    ],
)
def test_a_claim_must_be_possible(search, dropped, epochs, agrees):
    documents = [text(10), text(1), text(11), text(2), text(3)]
    total = sum(len(TOKENIZER.encode(documents[i])) + 1 for i in (0, 2))
    num_tokens = total if epochs is None else round(total * epochs)
    assert search(documents, num_tokens, epochs, dropped)[1] is agrees


def test_a_source_that_broke_off_need_not_have_counted_all(search):
    event = {"share": 1.0, "kind": "documents_ended", "what": "the network is gone"}
    documents = [text(10), text(1), text(11), text(2)]
    assert not search(documents, 10**6, 2.0, 1)[1]
    assert search(documents, 10**6, 2.0, 1, [event])[1]


@pytest.mark.parametrize("num_batches", [1, 12, 40])
@pytest.mark.parametrize("with_cache", [False, True])
def test_no_honest_run_is_accused(search, tmp_path, num_batches, with_cache):
    """Whatever the real stream fetched ahead, or found in its cache."""
    documents = [text(100 + i, 30) if i % 5 else text(1 + i % 3) for i in range(150)]

    def consumed(num):
        stream = TokenStream(
            Texts(documents), HELD, TOKENIZER, tmp_path / "tokens", context=32, batch_rows=4
        )
        with stream:
            batches = [stream.next_rows() for _ in range(num)]
            num_tokens = sum(rows[:, 1:].size for rows in batches if rows is not None)
        return num_tokens, stream.epochs, stream.num_dropped

    if with_cache:
        consumed(200)
    found, agrees = search(documents, *consumed(num_batches))
    assert agrees, found
    assert found.num_documents > 0
