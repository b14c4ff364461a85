"""Reading a text token by token gives what reading all of it at once gives, on every pair."""

import numpy as np
import pytest
from contract.conftest import CONTEXT, VOCAB
from helpers.engines import load_random

# Rounding alone leaves up to 2e-5.
TOLERANCE = 2e-4
LENGTH = CONTEXT + 6


def with_drawn_weights(pair, rows):
    """An engine in which every part counts; a counted model has no weights to draw."""
    engine = pair.engine()
    if not pair.is_drawn:
        for _ in range(40):
            engine.step(rows(), 1.0)
        return engine
    load_random(engine)
    return engine


def text_of(rows, length):
    """Tokens with stretches that a counted model has met."""
    return np.concatenate(rows(2))[:length]


def whole_text_logits(engine, tokens, stop):
    return engine.logits(tokens[None, max(0, stop - CONTEXT) : stop])[0, -1]


@pytest.mark.parametrize("pieces", [[1], [5, 1, 1, 4, 1], [CONTEXT, 1], [LENGTH - 2, 1]])
def test_logits_are_those_of_the_whole_text_at_every_place(exact_pair, rows, pieces):
    engine = with_drawn_weights(exact_pair, rows)
    tokens = text_of(rows, LENGTH)
    reader, start = engine.reader(), 0
    for number in range(LENGTH):
        stop = start + pieces[number % len(pieces)]
        if stop > LENGTH:
            break
        logits = reader.feed(tokens[start:stop])
        assert logits.shape == (VOCAB,) and logits.dtype == np.float32
        np.testing.assert_allclose(
            logits, whole_text_logits(engine, tokens, stop), atol=TOLERANCE, err_msg=f"at {stop}"
        )
        start = stop
    assert start > CONTEXT, "or the boundary was not crossed"


def test_texts_read_side_by_side_do_not_mix(exact_pair, rows):
    engine = with_drawn_weights(exact_pair, rows)
    texts = [text_of(rows, 6) for _ in range(2)]
    readers = [engine.reader() for _ in texts]
    for stop in range(1, 7):
        for reader, text in zip(readers, texts, strict=True):
            logits = reader.feed(text[stop - 1 : stop])
            expected = whole_text_logits(engine, text, stop)
            np.testing.assert_allclose(logits, expected, atol=TOLERANCE)


def test_a_cache_is_used_and_each_token_read_once(exact_pair, rows, monkeypatch):
    model = exact_pair.architecture.model(exact_pair.device.backend)
    if not hasattr(model, "new_cache"):
        pytest.skip(f"{exact_pair.name} has no cache")
    engine, lengths, features = with_drawn_weights(exact_pair, rows), [], model.features

    def noted(self, tokens, *cache):
        lengths.append(tuple(tokens.shape))
        return features(self, tokens, *cache)

    monkeypatch.setattr(model, "features", noted)
    reader = engine.reader()
    for length in (3, 1, 1):
        reader.feed(np.ones(length, dtype=np.int32))
    assert lengths == [(1, 3), (1, 1), (1, 1)]
