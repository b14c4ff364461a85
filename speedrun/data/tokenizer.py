"""Byte-level BPE tokenizer: shipped with the project, trained on the data, or from a file."""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import decoders, models, pre_tokenizers, trainers

from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source
from speedrun.system.files import write_atomic
from speedrun.text import reason

END_OF_TEXT = "<|endoftext|>"
EOT = 0  # its id
SHIPPED_VOCAB = 4096
TRAINING_BYTES = 16_000_000  # the bounded prefix of the training text a vocabulary is learnt on
_COUNTED_TEXTS = 256  # encoded in one go
_PIECE_CHARS = 1 << 20  # of a document that are looked at in one go
_WORD_CHARS = 256  # longer runs are parted for training
_WORDS_CHARS = 3_000_000  # of different words: about three times those of TRAINING_BYTES of English
_CLASSES = (r"[^\W\d_]", r"\d", r"[^\w\s]|_", r"\s")  # that the byte-level BPE parts text into
_LONG_SPACE = re.compile(rf"\s{{{_WORD_CHARS + 1}}}")
_LONG_RUN = re.compile("|".join(f"(?:{c}){{{_WORD_CHARS + 1},}}" for c in _CLASSES))
# The shipped vocabulary reaches 3.98 bytes a token on TinyStories; text on which it falls below
# this is other text, and deserves a vocabulary of its own.
_FITS_BYTES_PER_TOKEN = 3.7
_FITS_DOCS = 200


class Tokenizer:
    """Byte-level BPE between text and ids. Any UTF-8 text round-trips; id 0 ends a text."""

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        bpe.encode_special_tokens = True  # a document that spells the mark must not end there
        self._bpe = bpe
        self.vocab: int = bpe.get_vocab_size()
        self.fingerprint = hashlib.sha256(bpe.to_str().encode()).hexdigest()

    def encode(self, text: str) -> NDArray[np.uint16]:
        """Ids [num_tokens] of one document, without end-of-text."""
        # One document a call: encode_batch would start threads and take cores from training.
        if len(text) > _PIECE_CHARS:  # the library takes a hundred bytes for a character
            return np.concatenate([self.encode(piece) for piece in _pieces(text)])
        return np.array(self._bpe.encode(text, add_special_tokens=False).ids, dtype=np.uint16)

    def encode_all(self, texts: Sequence[str]) -> list[NDArray[np.uint16]]:
        """Ids of each text, as `encode` gives them; many at once, on all cores."""
        if any(len(text) > _PIECE_CHARS for text in texts):
            return list(map(self.encode, texts))
        found = self._bpe.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids, dtype=np.uint16) for one in found]

    def decode(self, ids: NDArray[np.integer] | list[int]) -> str:
        """Text of the ids, end-of-text marks left out."""
        return self._bpe.decode([int(i) for i in ids], skip_special_tokens=True)

    def num_round_trips(self, texts: Sequence[str]) -> int:
        """Number of texts that are the same once they are encoded and decoded again."""
        num = 0
        for at in range(0, len(texts), _COUNTED_TEXTS):
            batch = texts[at : at + _COUNTED_TEXTS]
            ids = [found.tolist() for found in self.encode_all(batch)]
            decoded = self._bpe.decode_batch(ids, skip_special_tokens=True)
            num += sum(map(str.__eq__, batch, decoded))
        return num

    def to_json(self) -> str:
        """The text of the tokenizer's file."""
        return self._bpe.to_str()


def _pieces(text: str) -> Iterator[str]:
    """Parts of a long text, cut before a space where there is one: words stay whole."""
    begin = 0
    while begin < len(text):
        limit = begin + _PIECE_CHARS
        end = text.rfind(" ", begin + 1, limit) if limit < len(text) else len(text)
        yield text[begin : (begin := end if end > 0 else limit)]


def shipped() -> Tokenizer:
    """The vocabulary of 4,096 learnt on TinyStories that comes with the project."""
    asset = resources.files("speedrun.data") / "assets" / f"tinystories-{SHIPPED_VOCAB}.json"
    return Tokenizer(tokenizers.Tokenizer.from_str(asset.read_text(encoding="utf-8")))


def load_untrusted(raw: bytes, where: str, *, vocab: int, fingerprint: str) -> Tokenizer:
    """The tokenizer in a file from somebody else's run, of this vocabulary and fingerprint.

    A file can ask for more than byte-level BPE: a normalizer could drop text, another model could
    make any of it one unknown token, and both would be scored for nothing. So only vocabulary and
    merges are read, a plain byte-level BPE is built from them, and it must save the same file.
    That every text comes back is still to be tried. Raises ValueError, which begins with `where`.
    """
    try:
        content = json.loads(raw.decode("utf-8"))
        ids, merges = content["model"]["vocab"], content["model"]["merges"]
        is_numbered = ids[END_OF_TEXT] == EOT and sorted(ids.values()) == [*range(vocab)]
        bpe = _byte_level_bpe(ids, merges) if is_numbered else None
    except Exception as error:  # JSON and the library raise what they like
        raise ValueError(f"{where}: no tokenizer of a race ({reason(error)})") from None
    if bpe is None:
        raise ValueError(
            f"{where}: the tokenizer's ids must be 0 to {vocab - 1}, each once, {END_OF_TEXT} {EOT}"
        )
    if json.loads(bpe.to_str()) != content:
        raise ValueError(f"{where}: the tokenizer is not plain byte-level BPE as a race makes it")
    found = Tokenizer(bpe)
    if found.fingerprint != fingerprint:
        raise ValueError(
            f"{where}: not the tokenizer that the record names (fingerprint {fingerprint[:12]};"
            f" this one has {found.fingerprint[:12]})"
        )
    return found


def _byte_level_bpe(
    ids: dict[str, int] | None = None, merges: list[list[str]] | None = None
) -> tokenizers.Tokenizer:
    pairs = None if merges is None else [(left, right) for left, right in merges]
    bpe = tokenizers.Tokenizer(models.BPE(ids, pairs))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    if ids is not None:
        bpe.add_special_tokens([END_OF_TEXT])
    return bpe


def train(documents: Iterator[str], vocab: int) -> Tokenizer:
    """Learn a vocabulary of at most `vocab` ids, numbered by how often they occur.

    The same text gives the same ids. Frequent tokens come first, so that an output layer can
    treat the head of the vocabulary and its tail differently.
    """
    bpe = _byte_level_bpe()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = list(_bounded(documents))
    bpe.train_from_iterator(texts, trainer)
    return _by_frequency(Tokenizer(bpe), texts)


def _bounded(documents: Iterator[str]) -> Iterator[str]:
    """The documents until they hold so much text in different words that learning takes long.

    Learning merges goes through every different word, over and over: text without spaces, or
    random letters, would take hours. Ordinary text is left as it is.
    """
    words: set[str] = set()
    num_chars = 0
    for document in documents:
        for begin in range(0, len(document), _PIECE_CHARS):
            piece = document[begin : begin + _PIECE_CHARS]
            if _LONG_SPACE.search(piece) or max(map(len, piece.split()), default=0) > _WORD_CHARS:
                piece = _LONG_RUN.sub(_parted, piece)
            fresh = set(piece.split()) - words
            words |= fresh
            num_chars += sum(map(len, fresh))
            yield piece
            if num_chars > _WORDS_CHARS:
                return


def _parted(long: re.Match[str]) -> str:
    run = long[0]
    if run.isspace():
        return run[:_WORD_CHARS]
    return "\n".join(run[at : at + _WORD_CHARS] for at in range(0, len(run), _WORD_CHARS))


def _by_frequency(learnt: Tokenizer, texts: list[str]) -> Tokenizer:
    counts = np.zeros(learnt.vocab, dtype=np.int64)
    for at in range(0, len(texts), _COUNTED_TEXTS):  # many at once, on all cores
        found = learnt._bpe.encode_batch_fast(
            texts[at : at + _COUNTED_TEXTS], add_special_tokens=False
        )
        for one in found:
            counts += np.bincount(one.ids, minlength=learnt.vocab)
    counts[EOT] = np.iinfo(np.int64).max  # keeps its id
    new_id = np.empty(learnt.vocab, dtype=np.int64)
    new_id[np.argsort(-counts, kind="stable")] = np.arange(learnt.vocab)
    model = json.loads(learnt._bpe.to_str())["model"]
    ids = {token: int(new_id[old]) for token, old in model["vocab"].items()}
    return Tokenizer(_byte_level_bpe(ids, model["merges"]))


def for_data(
    source: Source,
    heldout: HeldOut,
    vocab: int,
    choice: Literal["auto", "shipped", "trained"],
    cache: Path,
    notice: Callable[[str], None],
) -> Tokenizer:
    """The tokenizer of a run: shipped where it fits, else trained once and kept in `cache`.

    Held-out documents never reach the training of a vocabulary.
    """
    if choice == "shipped" and vocab != SHIPPED_VOCAB:
        raise ValueError(
            f"data.tokenizer=shipped has a vocabulary of {SHIPPED_VOCAB}, --vocab asks for {vocab}:"
            " leave one of them out"
        )
    if vocab == SHIPPED_VOCAB and choice != "trained":
        tokenizer = shipped()
        if choice == "shipped" or source.origin == "hub" or _fits(tokenizer, source, heldout):
            return tokenizer
    identity = f"{source.train_fingerprint}{heldout.fingerprint}{vocab}"
    key = hashlib.sha256(identity.encode()).hexdigest()
    kept = cache / f"{vocab}-{key[:16]}.json"
    if (found := _kept(kept, identity)) is not None:
        return found
    tokenizer = learn(source, heldout, vocab)
    if tokenizer.vocab < vocab:
        notice(f"The text holds no more than {tokenizer.vocab} of the {vocab} tokens asked for.")
    content = {
        "identity": identity,
        "vocab": tokenizer.vocab,
        "fingerprint": tokenizer.fingerprint,
        "tokenizer": tokenizer.to_json(),
    }
    with contextlib.suppress(OSError):  # a full disk costs the next run its learning
        write_atomic(kept, json.dumps(content))
    return tokenizer


def learn(source: Source, heldout: HeldOut, vocab: int) -> Tokenizer:
    """The vocabulary that the training documents give: every machine learns the same."""
    return train(_prefix(source, heldout, TRAINING_BYTES), vocab)


def expect_round_trips(tokenizer: Tokenizer, heldout: HeldOut) -> int:
    """Number of held-out documents, all of which the tokenizer gives back; else ValueError."""
    found, num_docs = tokenizer.num_round_trips(heldout.documents), len(heldout.documents)
    if found < num_docs:
        raise ValueError(
            f"the tokenizer loses text: {num_docs - found} of {num_docs} held-out documents do not"
            f" come back from it; --vocab {SHIPPED_VOCAB} --set data.tokenizer=shipped takes the"
            " one that comes with the project"
        )
    return found


def _kept(path: Path, identity: str) -> Tokenizer | None:
    """The tokenizer of this identity in a file; None where there is none, or it was changed."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        facts, raw = (kept["vocab"], kept["fingerprint"]), kept["tokenizer"].encode()
        if kept["identity"] == identity:
            return load_untrusted(raw, str(path), vocab=facts[0], fingerprint=facts[1])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _fits(tokenizer: Tokenizer, source: Source, heldout: HeldOut) -> bool:
    documents = list(islice(_prefix(source, heldout, TRAINING_BYTES), _FITS_DOCS))
    num_tokens = sum(len(tokenizer.encode(document)) for document in documents)
    return len("".join(documents).encode()) >= _FITS_BYTES_PER_TOKEN * max(1, num_tokens)


def _prefix(source: Source, heldout: HeldOut, num_bytes: int) -> Iterator[str]:
    for document in source.train():
        if document.strip() and not heldout.has(document):
            yield document
            num_bytes -= len(document.encode("utf-8"))
            if num_bytes <= 0:
                return
