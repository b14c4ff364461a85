"""Held-out text among training documents: found where it is, and no honest run accused."""

import itertools
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made_records import made, older, put, resealed

from leaderboard.verify import contamination
from leaderboard.verify.contamination import Shingles
from leaderboard.verify.verify import vocabulary_agrees
from speedrun.data import tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.data.loader import TokenStream
from speedrun.data.source import Counted
from speedrun.records.schema import Record, parse, seal
from speedrun.training.validation import Without, draw

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


def claim(num_tokens=10**9, epochs=None, dropped=0, events=(), **data) -> Record:
    """A record of schema 4, or without facts on `data` of schema 3, that says so."""
    train = {"train.num_tokens": num_tokens, "train.epochs": epochs, "train.events": list(events)}
    facts = {f"data.{name}": value for name, value in data.items()}
    record = made(changes=train | {"data.num_dropped_duplicates": dropped} | facts)
    return record if data else parse(resealed(older(record.content(), 3)).encode(), "here")


def search(documents, *claimed, **more):
    """The leaks that a search finds, and whether the claim of an older record agrees."""
    record = claim(*claimed, **more)
    found = contamination.search(Texts(documents), HELD, TOKENIZER, record)
    assert contamination.consumed_agrees(found, record) is None
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


POISONED = [text(100 + i, 30) if i % 5 else text(1 + i % 3) for i in range(150)]


def consumed(source, folder: Path, num_batches: int) -> dict[str, Any]:
    """The claim of a run that takes so many batches of a stream."""
    with TokenStream(source, HELD, TOKENIZER, folder, context=32, batch_rows=4) as stream:
        batches = [stream.next_rows() for _ in range(num_batches)]
    facts = stream.consumed()
    return {
        "num_tokens": sum(rows[:, 1:].size for rows in batches if rows is not None),
        "epochs": stream.epochs,
        "dropped": facts.num_dropped,
        "consumed_sha256": facts.sha256,
        "dropped_sha256": facts.dropped_sha256,
    }


def agree(documents, claimed: dict[str, Any], changes: Mapping[str, object] | None = None):
    """Whether documents dropped and tokens consumed are found as they are claimed."""
    record = claim(**claimed)
    if changes:
        content = record.content()
        for path, value in changes.items():
            put(content, path, value)
        record = seal(content)
    found = contamination.search(Texts(documents), HELD, TOKENIZER, record)
    return contamination.agrees(found, record), contamination.consumed_agrees(found, record)


@pytest.mark.parametrize("num_batches", [1, 12, 60, 200, 700])
@pytest.mark.parametrize("num_before", [0, 200])
def test_no_honest_run_is_accused(tmp_path, num_batches, num_before):
    """With documents fetched ahead of training, and with a cache of earlier ones."""
    if num_before:
        consumed(Texts(POISONED), tmp_path / "tokens", num_before)
    claimed = consumed(Texts(POISONED), tmp_path / "tokens", num_batches)
    assert agree(POISONED, claimed) == (True, True)
    assert (claimed["epochs"] or 0) > 3 or num_batches < 700


def test_validation_documents_of_a_run_are_left_out(tmp_path):
    documents = [text(100 + i, 30) for i in range(80)]
    source = Texts(documents)
    claimed = consumed(Without(source, draw(source, HELD)), tmp_path, 100)
    assert agree(documents, claimed, {"config.keep": "best"}) == (True, True)
    assert agree(documents, claimed)[1] is False


@pytest.mark.parametrize("num_batches", [12, 200])
@pytest.mark.parametrize(
    "edit",
    [
        lambda documents: [documents[1].replace("w", "v", 1), *documents[2:]],
        lambda documents: [documents[1], documents[3], documents[2], *documents[4:]],
        lambda documents: [documents[2], *documents[2:]],
        lambda documents: [text(1), *documents[1:]],
    ],
    ids=["a letter", "order", "one twice", "held-out text"],
)
def test_other_documents_under_the_same_fingerprint_are_found(tmp_path, edit, num_batches):
    """A folder that changed after its documents were identified, or a cache that was edited."""

    class Unfiltered(HeldOut):
        def has(self, document: str) -> bool:
            return False

    held = Unfiltered(HELD.documents)
    documents = [text(99), *[one for one in POISONED if not HELD.has(one)]]
    trained_on = Texts([documents[0], *edit(documents)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "HELD", held)
        claimed = consumed(trained_on, tmp_path, num_batches)
    assert agree(documents, claimed)[1] is False


@pytest.mark.parametrize(
    ("changes", "agreed"),
    [
        ({"data.consumed_sha256": "0" * 64}, (True, False)),
        ({"data.consumed_sha256": None}, (True, False)),
        ({"data.dropped_sha256": "0" * 64}, (False, True)),
        ({"data.dropped_sha256": None}, (False, True)),
        ({"data.num_dropped_duplicates": 99}, (False, True)),
        ({"data.num_dropped_duplicates": 0}, (False, True)),
        ({"train.epochs": 1.0}, (True, False)),  # the documents go on after so many
        ({"train.num_tokens": 128 * 12 + 1}, (True, False)),
        ({"train.num_tokens": 1 << 53}, (False, False)),
        ({"train.num_tokens": 1 << 53, "train.epochs": 1e12}, (False, None)),  # not hashed
        ({"train.num_tokens": 0}, (False, False)),
    ],
)
def test_a_forged_claim_is_found(tmp_path, changes, agreed):
    claimed = consumed(Texts(POISONED), tmp_path, 12)
    assert agree(POISONED, claimed, changes) == agreed


LEARNT = tokenizer.learn(Texts(POISONED), HELD, 300)
STRANGE = tokenizer.train(iter(HELD.documents), 300)  # as if it was learnt on held-out text


@pytest.mark.parametrize(
    ("found", "changes", "agreed"),
    [
        (TOKENIZER, {}, True),  # the shipped one
        (LEARNT, {}, True),
        (LEARNT, {"config.data.vocab": 301}, False),
        (LEARNT, {"config.data.vocab": 1 << 40}, False),
        (LEARNT, {"config.data": []}, False),
        (LEARNT, {"versions": {}}, True),
        (STRANGE, {}, False),
        (STRANGE, {"versions": {"tokenizers": "0.0.1"}}, None),  # another one may learn that
    ],
)
def test_a_vocabulary_must_be_what_the_training_documents_give(found, changes, agreed):
    facts = {"vocab": found.vocab, "fingerprint": found.fingerprint}
    versions = {"tokenizers": metadata.version("tokenizers")}
    named = {"tokenizer": facts, "config.data.vocab": found.vocab, "versions": versions}
    record = made(changes=named | changes)
    assert vocabulary_agrees(record, Texts(POISONED), HELD) is agreed
