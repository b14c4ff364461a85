"""Notes: strict, small, dated; what is none is refused with one line."""

import json

import pytest
from helpers.made_records import verification

from leaderboard.attestations import MAX_NOTE_BYTES, DataSet, Submission, one_line

NOTE = {"record": "a" * 64, "name": "more heads", "author": "Ann"}
NOTE |= {"submitted": "2026-01-02T03:04+00:00"}


def refusal(content: object, kind: type = Submission) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(ValueError) as caught:
        kind.parse(raw, "there")
    line = str(caught.value)
    assert line.startswith("there: ") and line.isprintable() and len(line) < 400
    return line


def test_a_note_comes_back_as_it_was():
    note = Submission.model_validate(NOTE)
    assert Submission.parse(note.to_json().encode(), "there") == note
    assert json.loads(note.to_json()) == {"schema": 1, **NOTE}


def test_the_digest_is_that_of_the_content():
    facts = {"name": "x", "train_fingerprint": "a" * 64, "heldout_fingerprint": "b" * 64}
    one, two = (DataSet.model_validate({**facts, "num_docs": n, "num_bytes": 9}) for n in (2, 3))
    assert one.digest() != two.digest() and len(one.digest()) == 12
    assert one.digest() == DataSet.parse(one.to_json().encode(), "").digest()
    assert one.heldout == two.heldout and one.size != two.size


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "x" * 101, "a\nb", "\x1b[31m", "\u202ea", "a\u200bb", "\ud800"]
)
def test_names_are_one_plain_line(name):
    refusal({**NOTE, "name": name})
    refusal({**NOTE, "author": name})


def test_other_names_are_free():
    for name in ("x" * 100, "größere Köpfe", "注意力", "<b>", "a | b", "🦊"):
        assert one_line(name) == name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rank": 1}, "rank: Extra"),
        ({"record": "../x"}, "record: String should match"),
        ({"record": "A" * 64}, "record: "),
        ({"submitted": "yesterday"}, "not a date"),
        ({"submitted": "2026-01-02T03:04"}, "offset"),
        ({"submitted": "x\x1b" * 999}, "not a date"),
        ({"schema": 3}, "schema: "),
        ({"schema": 2}, "schema 2 is that of notes with"),
        ({"name": 1}, "name: "),
        ({"x\x1b\n" * 5000: 1}, "Extra"),
    ],
)
def test_a_note_is_strict(change, says):
    assert says in refusal({**NOTE, **change})


def test_what_is_no_note_is_refused():
    for raw in (b"", b"{", b"[]", b"[" * 60_000, b"\xff", b'{"a": NaN}'):
        assert "not a submission note" in refusal(raw)
    for name in NOTE:
        assert f"{name}: Field required" in refusal({k: v for k, v in NOTE.items() if k != name})
    assert "twice" in refusal(json.dumps(NOTE)[:-1].encode() + b', "name": "other"}')
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            verification("a" * 64, rescored={"found_nats": value})
    assert str(MAX_NOTE_BYTES) in refusal({**NOTE, "name": "x" * MAX_NOTE_BYTES})
