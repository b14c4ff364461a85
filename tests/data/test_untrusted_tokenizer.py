"""Tokenizers from elsewhere: what a race makes is taken, and nothing else."""

import copy
import hashlib
import json

import pytest
import tokenizers
from helpers.made_records import put

from speedrun.data import tokenizer

PLAIN = tokenizer.train(iter(["Once upon a time there was a fox. " * 3]), 270)
CONTENT = json.loads(PLAIN._bpe.to_str())


def load(raw: bytes, vocab=PLAIN.vocab, fingerprint=PLAIN.fingerprint):
    return tokenizer.load_untrusted(raw, "there", vocab=vocab, fingerprint=fingerprint)


def refusal(raw: bytes, **named) -> str:
    with pytest.raises(ValueError) as caught:
        load(raw, **named)
    line = str(caught.value)
    assert line.startswith("there: ") and "\n" not in line
    return line


@pytest.mark.parametrize("made", [PLAIN, tokenizer.shipped()], ids=["trained", "shipped"])
def test_what_a_race_makes_is_taken(made):
    found = load(made.to_json().encode(), made.vocab, made.fingerprint)
    text = "Once upon a time, ünï — 🦊<|endoftext|>\n"
    assert found.decode(found.encode(text)) == text
    assert found.encode(text).tolist() == made.encode(text).tolist()


PLAIN_ONLY, NOT_PLAIN, IDS = "not plain byte-level BPE", "no tokenizer of a race", "ids must be 0"
ODD = {
    "normalizer": ({"type": "Lowercase"}, PLAIN_ONLY),
    "post_processor": ({"type": "ByteLevel"}, PLAIN_ONLY),
    "truncation": ({"max_length": 1}, PLAIN_ONLY),
    "padding": ({"strategy": "BatchLongest"}, PLAIN_ONLY),
    "version": ("2.0", PLAIN_ONLY),
    "pre_tokenizer": ({"type": "Whitespace"}, PLAIN_ONLY),
    "pre_tokenizer.add_prefix_space": (True, PLAIN_ONLY),
    "pre_tokenizer.use_regex": (False, PLAIN_ONLY),
    "decoder": ({"type": "Fuse"}, PLAIN_ONLY),
    "added_tokens": ([], PLAIN_ONLY),
    "model": ({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}, NOT_PLAIN),
    "model.type": ("Unigram", PLAIN_ONLY),
    "model.unk_token": (".", PLAIN_ONLY),
    "model.dropout": (0.5, PLAIN_ONLY),
    "model.byte_fallback": (True, PLAIN_ONLY),
    "model.ignore_merges": (True, PLAIN_ONLY),
    "model.vocab": ([], NOT_PLAIN),
    "model.vocab.e": (1 << 40, IDS),
    "model.vocab.f": ("7", NOT_PLAIN),
    "model.merges": ({}, PLAIN_ONLY),
    "model.merges.0": ("a b", NOT_PLAIN),
    "model.merges.1": (["zzz", "zzz"], NOT_PLAIN),
    "model.merges.2": (["a", "Ġ"], NOT_PLAIN),
    "model.merges.3": ([1, 2], NOT_PLAIN),
    "extra": ("anything", PLAIN_ONLY),
}


def test_anything_else_is_refused():
    for path, (value, says) in ODD.items():
        content = copy.deepcopy(CONTENT)
        put(content, path, value)
        assert says in refusal(json.dumps(content).encode()), path


def test_a_mark_under_another_id_is_refused():
    """Everything else about it is plain: only the scores would start and end elsewhere."""
    content = copy.deepcopy(CONTENT)
    vocab = content["model"]["vocab"]
    vocab["<|endoftext|>"], vocab["e"] = vocab["e"], 0
    content["added_tokens"][0]["id"] = vocab["<|endoftext|>"]
    assert IDS in refusal(json.dumps(content).encode())


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"1", b"[]", b"null", b"{}"],
    ids=lambda raw: repr(raw[:6]),
)
def test_what_is_no_tokenizer_is_one_line(raw):
    refusal(raw)


def test_another_tokenizer_than_the_records_is_refused():
    raw = json.dumps(CONTENT).encode()
    assert "not the tokenizer that the record names" in refusal(raw, fingerprint="0" * 64)
    assert "ids must be 0 to 299" in refusal(raw, vocab=300)


def test_a_vocabulary_without_some_byte_is_left_to_the_round_trip():
    """Every id is there, but no longer every byte: it loads, and loses text."""
    content = copy.deepcopy(CONTENT)
    vocab = content["model"]["vocab"]
    vocab["qq"] = vocab.pop("q")
    raw = json.dumps(content).encode()
    bpe = tokenizers.Tokenizer.from_str(raw.decode())
    bpe.encode_special_tokens = True
    found = load(raw, fingerprint=hashlib.sha256(bpe.to_str().encode()).hexdigest())
    assert found.decode(found.encode("a queen")) != "a queen"
