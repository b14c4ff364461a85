"""Calls of the model by a reader of text."""

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


@pytest.mark.parametrize(
    ("has_cache", "pieces", "whole", "cached"),
    [
        (True, [[1, 2], [3], [4]], [], [1, 2, 3, 4]),  # every token once
        (False, [[1, 2], [3]], [[1, 2], [1, 2, 3]], None),  # all of it every time
        # Beyond the context the last tokens are the whole text.
        (True, [[1, 2, 3, 4], [5], [6, 7]], [[2, 3, 4, 5], [4, 5, 6, 7]], [1, 2, 3, 4]),
        (False, [[1, 2, 3, 4], [5]], [[1, 2, 3, 4], [2, 3, 4, 5]], None),
        (True, [[1, 2, 3, 4, 5, 6], [7]], [[3, 4, 5, 6], [4, 5, 6, 7]], []),
    ],
)
def test_what_a_model_is_asked_for(has_cache, pieces, whole, cached):
    model = FakeModel()
    reader = TextReader(model.next_logits, CONTEXT, model.new_cache if has_cache else None)
    feed(reader, *pieces)
    assert model.whole == whole and model.caches == ([cached] if has_cache else [])


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
