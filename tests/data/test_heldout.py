"""The held-out split: what equals a held-out document, its fingerprint, its bytes."""

import pytest

from speedrun.data.heldout import HeldOut, is_held_out_by_hash, pin


@pytest.mark.parametrize(
    "twin",
    [
        "The Cat sat.\nIt purred.",
        "  The Cat sat. It purred.\n",
        "the cat SAT.\r\n\r\n\tit purred.",
        "The Cat\u00a0sat.\u2003It purred.",  # no-break and em space are white space, too
    ],
)
def test_white_space_and_case_make_no_other_document(twin):
    assert HeldOut(["The Cat sat.\nIt purred."]).has(twin)


@pytest.mark.parametrize("other", ["The Cat sat. It purred", "TheCat sat. It purred.", ""])
def test_another_text_is_another_document(other):
    assert not HeldOut(["The Cat sat.\nIt purred."]).has(other)


def test_case_is_folded_as_unicode_folds_it():
    assert HeldOut(["Die Stra\u00dfe"]).has("DIE STRASSE")


def test_the_fingerprint_is_of_content_and_order():
    documents = ["one", "two", "three"]
    fingerprint = HeldOut(documents).fingerprint
    assert HeldOut(list(documents)).fingerprint == fingerprint
    others = (
        documents[::-1],
        documents[:2],
        ["one ", "two", "three"],
        ["One", "two", "three"],
        ["onet", "wo", "three"],  # the same bytes, cut elsewhere
    )
    fingerprints = {HeldOut(other).fingerprint for other in others}
    assert len(fingerprints) == len(others)
    assert fingerprint not in fingerprints


def test_the_fingerprint_does_not_change_between_versions():
    # Records carry it: another way to compute it would part every track in two.
    expected = "da0844bc93dd25bad7539f77e12305dcc21871e4e05e3510572c5d1e3acfe315"
    assert HeldOut(["Once upon a time.", "\u00fcber \U0001f98a"]).fingerprint == expected


def test_bytes_are_those_of_the_raw_utf8_documents():
    assert (
        HeldOut(["abc", "\u00fc", "\u20ac", "\U0001f98a", " a \r\n"]).num_bytes == 3 + 2 + 3 + 4 + 5
    )


def test_held_out_by_hash_is_a_property_of_the_folded_text():
    texts = [f"Story number {i}" for i in range(200)]
    held_out = [text for text in texts if is_held_out_by_hash(text)]
    assert held_out
    for text in texts:
        expected = text in held_out
        assert is_held_out_by_hash(f"\n {text.upper().replace(' ', '  ')} ") == expected


def test_pin_takes_the_first_documents(fake_source):
    assert list(pin(fake_source([]), 2).documents) == fake_source([]).heldout(2)


def test_pin_refuses_fewer_than_two_documents(fake_source):
    with pytest.raises(ValueError, match=r"data 'fake' has 1 held-out document.*give more"):
        pin(fake_source([]), 1)
