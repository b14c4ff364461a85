"""What a text's reader asks of a model, and when."""

import numpy as np
import pytest

from speedrun.backends.reader import TextReader

CONTEXT = 4


class FakeModel:
    """A model that notes what it is asked; a cache of its is the list of what went into it."""

    def __init__(self) -> None:
        self.whole: list[list[int]] = []
        self.caches: list[list[int]] = []

    def new_cache(self):
        self.caches.append([])
        return self.caches[-1]

    def next_logits(self, tokens, cache):
        if cache is None:
            self.whole.append(tokens.tolist())
        else:
            cache += tokens.tolist()
        return np.zeros(8, dtype=np.float32)


def feed(reader, *pieces):
    for piece in pieces:
        reader.feed(np.array(piece, dtype=np.int32))


def test_with_a_cache_every_token_is_asked_for_once():
    model = FakeModel()
    feed(TextReader(model.next_logits, CONTEXT, model.new_cache), [1, 2], [3], [4])
    assert model.caches == [[1, 2, 3, 4]] and not model.whole


def test_without_one_the_whole_text_is_every_time():
    model = FakeModel()
    feed(TextReader(model.next_logits, CONTEXT), [1, 2], [3])
    assert model.whole == [[1, 2], [1, 2, 3]]


@pytest.mark.parametrize("has_cache", [False, True])
def test_beyond_the_context_the_last_tokens_are_the_whole_text(has_cache):
    model = FakeModel()
    reader = TextReader(model.next_logits, CONTEXT, model.new_cache if has_cache else None)
    feed(reader, [1, 2, 3, 4], [5], [6, 7], [8])
    assert model.whole[-3:] == [[2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]
    assert model.caches == ([[1, 2, 3, 4]] if has_cache else [])


def test_a_text_may_begin_longer_than_the_context():
    model = FakeModel()
    feed(TextReader(model.next_logits, CONTEXT, model.new_cache), [1, 2, 3, 4, 5, 6], [7])
    assert model.whole == [[3, 4, 5, 6], [4, 5, 6, 7]] and model.caches == [[]]


def test_every_reader_has_a_cache_of_its_own():
    model = FakeModel()
    one, other = (TextReader(model.next_logits, CONTEXT, model.new_cache) for _ in range(2))
    feed(one, [1])
    feed(other, [2])
    feed(one, [3])
    assert model.caches == [[1, 3], [2]]


def test_feeding_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        feed(TextReader(FakeModel().next_logits, CONTEXT), [])
