"""Stories from logits that are known."""

from typing import Any

import numpy as np
import pytest
from helpers.fakes import TableEngine

from speedrun.data import tokenizer
from speedrun.evaluation import generate
from speedrun.evaluation.generate import Sampling, story, tell
from speedrun.models import loader

BPE = tokenizer.shipped()
D3PM = loader.architecture("d3pm")
SMALL = D3PM.for_params(100_000, 4096, context=32)


def chain(*texts: str, end: bool = True):
    """An engine that says these one-token texts one after another, then ends."""
    ids = [int(BPE.encode(text)[0]) for text in texts]
    table = np.zeros((BPE.vocab, BPE.vocab))
    for now, then in zip(ids, [*ids[1:], tokenizer.EOT if end else ids[0]], strict=True):
        table[now, then] = 50.0
    return TableEngine(table)


def test_a_story_follows_the_likeliest_tokens_up_to_the_end_or_its_limit():
    engine = chain(" the", " and", " to")
    assert story(engine, BPE, " the", Sampling(temperature=0)) == " the and to"
    engine = chain(" the", " and", end=False)  # the context slides
    text = story(engine, BPE, " the", Sampling(temperature=0, max_tokens=9))
    assert text == " the" + " and the" * 4 + " and"


def test_the_seed_decides_the_draws():
    engine = TableEngine(np.zeros((BPE.vocab, BPE.vocab)))
    told = [story(engine, BPE, "a", Sampling(seed=s, max_tokens=8)) for s in (0, 0, 1)]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(("top_p", "drawn"), [(1e-9, {1}), (0.5, {1}), (1.0, {0, 1, 2, 3})])
def test_top_p_keeps_the_likeliest_only(top_p, drawn):
    logits = np.log(np.array([0.05, 0.6, 0.3, 0.05], dtype=np.float32))
    rng, sampling = np.random.default_rng(0), Sampling(temperature=1.0, top_p=top_p)
    assert {generate._draw(logits, sampling, rng) for _ in range(500)} == drawn


def test_draws_are_those_of_numpy():
    logits = np.random.default_rng(0).normal(0, 2, 300).astype(np.float32)
    for sampling in (Sampling(), Sampling(temperature=1.5, top_p=1.0)):
        rng, other = np.random.default_rng(7), np.random.default_rng(7)
        probs = generate._probs(logits, sampling)
        drawn = [generate._draw(logits, sampling, rng) for _ in range(200)]
        assert drawn == [other.choice(len(probs), p=probs) for _ in range(200)]
        assert len(set(drawn)) > 10


@pytest.mark.parametrize("top_p", [1e-9, 0.3, 0.9, 0.95, 0.9999, 1 - 1e-15])
@pytest.mark.parametrize("spread", [0.0, 0.1, 3.0, 30.0])
def test_top_p_is_what_sorting_everything_gives(top_p, spread):
    rng = np.random.default_rng(0)
    logits = (spread * rng.normal(size=500)).round(1).astype(np.float32)  # with ties
    for temperature in (0.5, 1.0):
        scaled = logits.astype(np.float64) / temperature
        probs = np.exp(scaled - scaled.max())
        order = np.argsort(-probs, kind="stable")
        reached = np.cumsum(probs[order]) / probs.sum() >= top_p
        probs[order[int(reached.argmax()) + 1 if reached.any() else len(order) :]] = 0.0
        drawn_with = generate._probs(logits, Sampling(temperature=temperature, top_p=top_p))
        np.testing.assert_allclose(drawn_with, probs / probs.sum(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "change", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"max_tokens": 0}]
)
def test_sampling_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match=r"allowed|must be"):
        Sampling(**change)


class Revealing:
    """A bound that is sure of one text, whatever the noise."""

    def __init__(self, text: str) -> None:
        self.ids = [tokenizer.EOT, *BPE.encode(text).tolist(), tokenizer.EOT]
        self.num_calls = 0

    def logits(self, tokens, steps):
        self.num_calls += 1
        logits = np.zeros((*tokens.shape, BPE.vocab), dtype=np.float32)
        for place in range(tokens.shape[1]):
            logits[:, place, self.ids[place] if place < len(self.ids) else 17] = 50.0
        return logits


def test_a_diffused_story_keeps_its_prompt_and_ends_at_end_of_text():
    engine: Any = Revealing("Once upon a time there was a cat.")
    told = tell(engine, D3PM, SMALL, BPE, "Once upon a time", Sampling(steps=5))
    assert told == "Once upon a time there was a cat."
    assert engine.num_calls == 5
    with pytest.raises(ValueError, match="leave no room in a context of 32"):
        tell(engine, D3PM, SMALL, BPE, "Once " * 40, Sampling())
    transformer = loader.architecture("transformer")
    with pytest.raises(ValueError, match="only diffusion"):
        tell(chain(" the"), transformer, SMALL, BPE, " the", Sampling(steps=4))
