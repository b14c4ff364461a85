"""The tokenizer: every text comes back, training repeats, held-out text is kept out."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, normalizers, pre_tokenizers

from speedrun.data import tokenizer as module
from speedrun.data.heldout import HeldOut
from speedrun.data.tokenizer import (
    EOT,
    SHIPPED_VOCAB,
    Tokenizer,
    expect_round_trips,
    for_data,
    train,
)

# Another vocabulary would make every record of before another thing: change it knowingly.
SHIPPED_FINGERPRINT = "0e01b3cbc221685f89bc80874412612db79c62df436d6254c9ba0309ab0a0215"
HELD_OUT = HeldOut(["held out", "also held out"])
STORIES = [
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the"
    " sunshine. One day, she saw a big, red ball in the park. She was very happy and ran to get"
    ' it. "Look, Mommy!" she said. "Can I play with the ball?" Her mom smiled and said yes.',
    "One day, a boy named Tim went for a walk with his dog, Max. They saw a little bird on the"
    " ground. The bird was sad because it could not fly. Tim wanted to help the bird, so he"
    " picked it up and took it home. Soon, the bird felt better and flew away.",
]
TEXTS = [
    "",
    "\n\n\n",
    "\x00 a NUL \x00\x00 a line\r\nand another\r\t\v\f\x1b[31m\x7f",
    "e\u0301 against \u00e9, n\u0303, and a heap: z\u0300\u0301\u0302\u0303",
    "\U0001f98a\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "before<|endoftext|>after <|endoftext|> <|endoftext",
    "\u4f60\u597d \u0645\u0631\u062d\u0628\u0627 \u0928\u092e\u0938\u094d\u0924\u0947",
    "\ufeffwith a mark, \ufffd, \uffff and \U0010ffff",
    "def f(x):\n    return {k: v**2 for k, v in x.items()}\n \u00a0\u2003 spaces \u3000",
    "a" * 5000,
]


def random_text(seed: int) -> str:
    """Characters from all of Unicode but the surrogates, which no UTF-8 holds."""
    draw = random.Random(seed)
    tops = [draw.choice((0x80, 0x800, 0xD800, 0x110000)) for _ in range(draw.randrange(1, 200))]
    codes = [draw.randrange(top) for top in tops]
    return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return train(iter(STORIES * 3), 400)


@pytest.mark.parametrize("which", ["tokenizer", "trained"])
def test_every_text_comes_back_and_saving_keeps_all(which, request):
    chosen = request.getfixturevalue(which)
    loaded = Tokenizer(tokenizers.Tokenizer.from_str(chosen.to_json()))
    assert loaded.fingerprint == chosen.fingerprint
    texts = [*TEXTS, *(random_text(seed) for seed in range(300))]
    assert chosen.num_round_trips(texts) == expect_round_trips(chosen, HeldOut(texts)) == 310
    for text, at_once in zip(texts, chosen.encode_all(texts), strict=True):
        assert (chosen.encode(text) == at_once).all()
        ids = chosen.encode(text)
        assert ids.dtype == np.uint16 and chosen.decode(ids) == text
        assert (loaded.encode(text) == ids).all()
        # A document that spells the mark must not end there.
        assert EOT not in ids and all(ids < chosen.vocab)


def test_the_shipped_vocabulary_is_the_one_of_the_records(tokenizer):
    assert (tokenizer.vocab, tokenizer.fingerprint) == (SHIPPED_VOCAB, SHIPPED_FINGERPRINT)
    assert tokenizer.decode([EOT]) == ""


def test_ids_are_numbered_by_how_often_they_occur(trained):
    ids = np.concatenate([trained.encode(text) for text in STORIES])
    counts = np.bincount(ids, minlength=trained.vocab)[1:]
    assert all(counts[:-1] >= counts[1:])


TRAIN_AND_PRINT = """
import random, sys
from speedrun.data.tokenizer import train
draw = random.Random(0)
# Few words, all equally likely: ties everywhere, in which an unstable order would show.
words = ["".join(draw.choices("abcdef", k=draw.randrange(1, 9))) for _ in range(500)]
texts = [" ".join(draw.choices(words, k=60)) for _ in range(400)]
print(train(iter(texts), 600).fingerprint)
"""


@pytest.mark.slow
def test_training_does_not_depend_on_process_or_threads():
    def printed(**settings: str) -> str:
        env = {**os.environ, **settings, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        command = [sys.executable, "-c", TRAIN_AND_PRINT]
        return subprocess.check_output(command, env=env, text=True, timeout=60)

    once = printed(RAYON_NUM_THREADS="1")
    assert once == printed(RAYON_NUM_THREADS="3", PYTHONHASHSEED="1")
    assert once == printed(TOKENIZERS_PARALLELISM="false", PYTHONHASHSEED="2")


@pytest.fixture
def choose(tmp_path):
    """`choose(source, vocab, choice, heldout)` picks the tokenizer of a run."""

    def chosen(source, vocab=300, choice: Any = "auto", heldout=HELD_OUT, notice=print):
        return for_data(source, heldout, vocab, choice, tmp_path / "kept", notice)

    return chosen


def test_held_out_text_never_reaches_the_training(choose, fake_source, monkeypatch):
    seen = []

    def spy(documents, vocab):
        seen.extend(documents)
        return train(iter(seen), vocab)

    monkeypatch.setattr(module, "train", spy)
    documents = [STORIES[0], "Held  OUT\n", "", STORIES[1], "also held out", "  "]
    choose(fake_source(documents))
    assert seen == STORIES


def test_held_out_text_does_not_sway_the_choice(choose, fake_source):
    # As training text, the held-out documents would push the shipped vocabulary below the mark.
    strange = ["\u4f60\u597d" * 300, "\u0645\u0631" * 300]
    chosen = choose(fake_source([*strange, *STORIES]), SHIPPED_VOCAB, heldout=HeldOut(strange))
    assert chosen.fingerprint == SHIPPED_FINGERPRINT


def test_training_reads_a_bounded_prefix(choose, fake_source, monkeypatch):
    monkeypatch.setattr(module, "TRAINING_BYTES", 1000)
    source = fake_source([f"{i:06d}, 25 bytes in all.." for i in range(5000)])
    choose(source)
    assert source.drawn == 40


def test_a_vocabulary_is_kept_for_its_data_size_and_held_out_split(choose, fake_source):
    first = choose(fake_source(STORIES))
    again, other_data = fake_source(STORIES), fake_source(STORIES, fingerprint="1" * 64)
    other_size, other_split = fake_source(STORIES), fake_source(STORIES)
    assert choose(again).fingerprint == first.fingerprint
    choose(other_data)
    choose(other_size, 301)
    choose(other_split, heldout=HeldOut(["a", "b"]))
    drawn = [source.drawn for source in (again, other_data, other_size, other_split)]
    assert drawn == [0, *[len(STORIES)] * 3]


def edited(kept: dict[str, Any], **changes: Any) -> str:
    return json.dumps(kept | changes)


def of_heldout_text(kept: dict[str, Any]) -> str:
    """Another vocabulary of this size under the same name."""
    other = train(iter([*HELD_OUT.documents] * 9), 300)
    return edited(kept, tokenizer=other.to_json(), vocab=other.vocab)


@pytest.mark.parametrize(
    "edit",
    [
        lambda kept: "",
        lambda kept: "{",
        lambda kept: "[" * 5000,
        lambda kept: '{"model": {"type": "BPE"}}',
        lambda kept: kept["tokenizer"],  # as older versions wrote it
        lambda kept: edited(kept, identity="of other data"),
        lambda kept: edited(kept, tokenizer=kept["tokenizer"].replace('"a"', '"A"')),
        of_heldout_text,
    ],
)
def test_a_damaged_or_edited_one_is_learnt_again(choose, fake_source, tmp_path, edit):
    source = fake_source([random_text(i) for i in range(50)])
    right = choose(source).fingerprint
    (path,) = (tmp_path / "kept").iterdir()
    content = path.read_text()
    path.write_text(edit(json.loads(content)))
    assert choose(source).fingerprint == right
    assert path.read_text() == content


def lossy(tokenizer: Tokenizer, **parts: Any) -> Tokenizer:
    bpe = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    for name, part in parts.items():
        setattr(bpe, name, part)
    return Tokenizer(bpe)


@pytest.mark.parametrize(
    ("parts", "num_lost"),
    [
        ({"normalizer": normalizers.Replace("z", "")}, 1),
        ({"normalizer": normalizers.Lowercase()}, 2),  # two texts become one
        ({"normalizer": normalizers.NFC()}, 1),
        ({"pre_tokenizer": pre_tokenizers.Whitespace(), "decoder": decoders.Fuse()}, 4),
    ],
    ids=["a character", "case", "accents", "spaces"],
)
def test_a_tokenizer_that_loses_held_out_text_is_refused(trained, parts, num_lost):
    documents = ["a zebra ran", "The cat sat.", "Cafe\u0301 au lait", "the cat  sat."]
    bad = lossy(trained, **parts)
    with pytest.raises(ValueError, match=f"{num_lost} of 4 held-out documents do not come back"):
        expect_round_trips(bad, HeldOut(documents))


def test_a_full_disk_costs_the_next_run_its_learning(choose, fake_source, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_atomic", full)
    assert choose(fake_source([random_text(i) for i in range(50)])).vocab == 300
    assert not (tmp_path / "kept").exists()


def test_vocabularies_reach_from_bytes_to_what_the_text_holds(choose, fake_source):
    smallest = choose(fake_source(STORIES), 257)
    assert smallest.vocab == 257 and len(smallest.encode("\u00fcber")) == 5
    said = []
    largest = choose(fake_source(["tiny tiny"]), 65536, notice=said.append)
    assert 257 < largest.vocab < 270
    assert said == [f"The text holds no more than {largest.vocab} of the 65536 tokens asked for."]


def test_auto_takes_the_shipped_vocabulary_for_such_stories_alone(choose, fake_source):
    assert choose(fake_source(STORIES), SHIPPED_VOCAB).fingerprint == SHIPPED_FINGERPRINT
    code = [path.read_text("utf-8") for path in Path(json.__file__).parent.glob("*.py")]
    assert choose(fake_source(code), SHIPPED_VOCAB).fingerprint != SHIPPED_FINGERPRINT


def test_auto_takes_the_shipped_vocabulary_from_the_hub_without_reading(choose, fake_source):
    source = fake_source(STORIES)
    source.origin = "hub"
    assert choose(source, SHIPPED_VOCAB).fingerprint == SHIPPED_FINGERPRINT
    assert source.drawn == 0


def test_trained_trains_even_for_such_stories_and_shipped_has_one_size(choose, fake_source):
    chosen = choose(fake_source(STORIES), SHIPPED_VOCAB, "trained")
    assert chosen.fingerprint != SHIPPED_FINGERPRINT
    with pytest.raises(ValueError, match=r"vocabulary of 4096, --vocab asks for 300: leave one"):
        choose(fake_source(STORIES), 300, "shipped")


@pytest.mark.parametrize("letters", ["acgt", "abcdefghijklmnopqrstuvwxyz0123456789", " "])
def test_a_million_characters_without_a_space_are_learnt_from_in_bounded_time(letters, monkeypatch):
    monkeypatch.setattr(module, "_WORDS_CHARS", 50_000)
    text = "".join(random.Random(0).choices(letters, k=1_000_000))
    pieces = list(module._bounded(iter([text, "last"])))
    assert not any(map(module._LONG_RUN.search, pieces)) and sum(map(len, pieces)) < 1_100_000
    assert ("last" in pieces) == (letters == " "), "enough is learnt from"
    ordinary = [*STORIES, "x" * 256]
    assert list(module._bounded(iter(ordinary))) == ordinary


def test_a_long_text_is_encoded_in_pieces_at_the_borders_of_words(trained, monkeypatch):
    text = " ".join(STORIES * 30)
    whole = trained.encode(text)
    monkeypatch.setattr(module, "_PIECE_CHARS", 300)
    assert (trained.encode(text) == whole).all()
    no_space = "\u00fcber" * 500
    assert trained.decode(trained.encode(no_space)) == no_space
