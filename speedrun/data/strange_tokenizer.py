"""A tokenizer from somebody else's run: only what our own trainer makes is let in."""

import json
from typing import Any

import tokenizers

from speedrun.data.tokenizer import END_OF_TEXT, EOT, Tokenizer

# All but the vocabulary and its merges stands fixed: a normalizer could drop text, another
# model could make any of it one unknown token, and both would be scored for nothing.
_FIXED: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "normalizer": None,
    "post_processor": None,
}
_BYTE_LEVEL = {"type": "ByteLevel", "use_regex": True}
_ADDED = {
    "id": EOT,
    "content": END_OF_TEXT,
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "special": True,
}
_MODEL = {
    "type": "BPE",
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}


def load(raw: bytes, where: str, *, vocab: int, fingerprint: str) -> Tokenizer:
    """The plain byte-level BPE in these bytes, of this vocabulary and fingerprint.

    Raises ValueError for anything else. That it gives every text back is still to be tried.
    """
    try:
        content = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{where}: the tokenizer is not JSON") from None
    if odd := _oddity(content, vocab):
        raise ValueError(
            f"{where}: the tokenizer is not plain byte-level BPE as a race makes it ({odd})"
        )
    try:
        found = Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(content)))
    except Exception as error:  # the library raises nothing more special
        raise ValueError(f"{where}: the tokenizer cannot be used ({error!s:.200})") from None
    if found.fingerprint != fingerprint or found.vocab != vocab:
        raise ValueError(
            f"{where}: not the tokenizer that the record names ({vocab} tokens, fingerprint"
            f" {fingerprint[:12]}; this one has {found.vocab}, {found.fingerprint[:12]})"
        )
    return found


def _oddity(content: Any, vocab: int) -> str:
    """What in it is not as our trainer writes it; empty if nothing is."""
    if not isinstance(content, dict):
        return "no object"
    for name, value in _FIXED.items():
        if content.get(name, ...) != value:
            return f"{name} must be {value}"
    before, after = content.get("pre_tokenizer"), content.get("decoder")
    if not _has(before, _BYTE_LEVEL | {"add_prefix_space": False}):
        return "its pre-tokenizer must be ByteLevel, without a space in front"
    if not _has(after, _BYTE_LEVEL):
        return "its decoder must be ByteLevel"
    if content.get("added_tokens") != [_ADDED]:
        return f"the only added token must be {END_OF_TEXT}, id {EOT}"
    return _model_oddity(content.get("model"), vocab)


def _model_oddity(model: Any, vocab: int) -> str:
    if not _has(model, _MODEL):
        return "its model must be BPE, without options"
    ids, merges = model.get("vocab"), model.get("merges")
    if not isinstance(ids, dict) or any(type(number) is not int for number in ids.values()):
        return "no vocabulary"
    if sorted(ids.values()) != list(range(vocab)):
        return f"its ids must be 0 to {vocab - 1}, each once"
    if not isinstance(merges, list) or len(merges) > vocab:
        return "more merges than tokens"
    for pair in merges:
        if not isinstance(pair, list) or len(pair) != 2:
            return "a merge must be a pair of tokens"
        if not all(isinstance(part, str) and part in ids for part in pair):
            return "a merge of what are no tokens"
        if "".join(pair) not in ids:
            return "a merge into what is no token"
    return ""


def _has(found: Any, expected: dict[str, Any]) -> bool:
    return isinstance(found, dict) and all(found.get(k, ...) == v for k, v in expected.items())
