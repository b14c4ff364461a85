"""The held-out split: what equals a held-out document, its fingerprint, its bytes."""

import pytest

from speedrun.data.heldout import HeldOut, is_held_out_by_hash, pin

STORY = HeldOut(["The Cat sat.\nIt purred.", "Die Stra\u00dfe"])


def test_white_space_and_case_make_no_other_document():
    for twin in (
        "The Cat sat.\nIt purred.",
        "  The Cat sat. It purred.\n",
        "the cat SAT.\r\n\r\n\tit purred.",
        "The Cat\u00a0sat.\u2003It purred.",  # no-break and em space are white space, too
        "DIE STRASSE",  # as Unicode folds case
    ):
        assert STORY.has(twin), twin
    for other in ("The Cat sat. It purred", "TheCat sat. It purred.", ""):
        assert not STORY.has(other), other


def test_the_fingerprint_is_of_content_and_order():
    documents = ["one", "two", "three"]
    others = (
        documents[::-1],
        documents[:2],
        ["one ", "two", "three"],
        ["One", "two", "three"],
        ["onet", "wo", "three"],  # the same bytes, cut elsewhere
        documents,
    )
    assert len({HeldOut(other).fingerprint for other in others}) == len(others)
    # Records carry it: another way to compute it would part every track in two.
    expected = "da0844bc93dd25bad7539f77e12305dcc21871e4e05e3510572c5d1e3acfe315"
    assert HeldOut(["Once upon a time.", "\u00fcber \U0001f98a"]).fingerprint == expected


def test_bytes_are_those_of_the_raw_utf8_documents():
    documents = ["abc", "\u00fc", "\u20ac", "\U0001f98a", " a \r\n"]
    assert HeldOut(documents).num_bytes == 3 + 2 + 3 + 4 + 5


def test_held_out_by_hash_is_a_property_of_the_folded_text():
    texts = [f"Story number {i}" for i in range(200)]
    held_out = [is_held_out_by_hash(text) for text in texts]
    folded = [f"\n {text.upper().replace(' ', '  ')} " for text in texts]
    assert any(held_out) and held_out == [is_held_out_by_hash(text) for text in folded]


def test_pin_takes_the_first_documents_and_at_least_two(fake_source):
    assert list(pin(fake_source(["a story"]), 2).documents) == fake_source(["a story"]).heldout(2)
    with pytest.raises(ValueError, match=r"data 'fake' has 1 held-out document.*give more"):
        pin(fake_source(["a story"]), 1)


def test_data_without_a_training_document_of_its_own_is_refused(fake_source):
    copies = fake_source([*fake_source([]).heldout(None), " "])
    with pytest.raises(ValueError, match="no training document that is not a held-out one"):
        pin(copies, 2)
