"""Twins: the same architecture on two frameworks starts, trains and scores alike.

One forward pass on copied weights is not enough: a second bias, or an AdamW without bias
correction, shows in training only.
"""

import itertools

import numpy as np
import pytest
from contract.conftest import CONTEXT, SETTINGS, VOCAB, Pair, pairs
from helpers.engines import assert_same_weights, load_random

from architectures import transformer

TABLES = {"input_bigrams": 24, "input_trigrams": 40, "table_width": 8}
NUM_STEPS = 40
# Rounding alone leaves up to 4e-5 after 40 steps, with either optimizer.
TOLERANCE_NATS = 2e-4
SCORE_TOLERANCE_NATS = 1e-4


def variants(name: str) -> list[dict]:
    """Settings whose code differs; all small."""
    if name == "d3pm":
        return [
            {"denoiser": denoiser, "transition": transition, "value_tables": 1}
            for denoiser in ("transformer", "lstm")
            for transition in ("absorbing", "uniform")
        ] + [{"bound_weight": 0.1, "transition": "uniform", **TABLES}]
    if name == "transformer":
        goedecke = {**transformer.RECIPES["goedecke"]["model"], "tied": False}
        del goedecke["depth"]
        tables = {**TABLES, "value_bigrams": 24, "value_trigrams": 40, "num_common": 0}
        return [{"value_tables": 1}, goedecke, {"mlp": "gelu", "heads": 1, **tables}]
    if name == "lstm":
        return [{}, {"token_shift": False, "skip_scales": False, "token_scales": 0, **TABLES}]
    return [{}]


def cases() -> list:
    """Each architecture that is written for both frameworks, in its variants."""
    on = {(name, device.name): (device, p.marks) for p in pairs() for name, device in p.values}
    return [
        pytest.param(
            (name, on[name, "cpu"][0], device, variant),
            id="-".join((name, *map(str, variant.values())))[:50],
            marks=marks,
        )
        for (name, on_what), (device, marks) in on.items()
        if on_what == "mlx" and (name, "cpu") in on
        for variant in variants(name)
    ]


def twins(case, **recipe):
    """An engine of each framework, with the same settings."""
    name, torch, mlx, settings = case
    small = {"context": CONTEXT, **SETTINGS.get(name, {}), **settings}
    pairs = [Pair(name, device) for device in (torch, mlx)]
    config = pairs[0].architecture.for_params(20_000, VOCAB, **small)
    return [pair.engine(config=config, **recipe) for pair in pairs]


def trained_cases() -> list:
    """Every case with Muon, which leaves vectors and tables to AdamW; AdamW alone once each."""
    found = [(one.values[0], "muon", one.id, one.marks) for one in cases()]
    first = {case[0]: (case, "adamw", *more) for case, _, *more in reversed(found)}
    return [
        pytest.param(case, optimizer, id=f"{optimizer}-{name}", marks=marks)
        for case, optimizer, name, marks in (*found, *first.values())
    ]


@pytest.mark.parametrize(("case", "optimizer"), trained_cases())
def test_twins_stay_together_in_training(case, optimizer, rows):
    engines = twins(case, optimizer=optimizer, weight_decay=0.1, grad_clip=1.0)
    unseen, losses = rows(16), []
    before = engines[0].nll(unseen, 0).mean()
    for step in range(NUM_STEPS):
        batch = rows()
        for engine in engines:
            engine.step(batch, 1.0 - step / NUM_STEPS)
        losses.append([engine.train_loss() for engine in engines])
    apart = np.abs(np.diff(np.array(losses), axis=1)).max()
    nats = [engine.nll(unseen, 0).mean() for engine in engines]
    print(f"apart in training {apart:.1e}, in held-out nats {abs(nats[0] - nats[1]):.1e}")
    assert nats[0] < before - 0.1, "or there was nothing to part over"
    assert apart < TOLERANCE_NATS
    assert nats[1] == pytest.approx(nats[0], abs=TOLERANCE_NATS)


@pytest.mark.parametrize("case", cases())
def test_weights_travel_between_twins_and_back(case, rows):
    torch, mlx = twins(case)
    unseen = rows(8)
    for there, back in ((torch, mlx), (mlx, torch)):
        for _ in range(10):
            there.step(rows(), 1.0)
        back.load(there.weights())
        for seed in (0, 1):
            mine, other = there.nll(unseen, seed), back.nll(unseen, seed)
            np.testing.assert_allclose(other, mine, atol=SCORE_TOLERANCE_NATS, rtol=1e-5)
        assert_same_weights(back.weights(), there.weights())


@pytest.mark.parametrize("case", cases())
def test_twins_have_the_same_logits_and_read_a_text_alike_and_as_a_whole(case, rows):
    """In every variant: what a cache must keep depends on the settings."""
    engines = twins(case)
    load_random(engines[0])
    engines[1].load(engines[0].weights())
    is_bound = case[0] == "d3pm"
    steps = np.array([1, 300, 700, 1000], dtype=np.int32) if is_bound else None
    tokens = rows()[:, :-1]
    logits = [engine.logits(tokens, steps) for engine in engines]
    np.testing.assert_allclose(logits[1], logits[0], atol=2e-4)
    if is_bound:
        return
    text = np.concatenate((rows(1)[0], rows(1)[0]))[: CONTEXT + 4]
    readers = [engine.reader() for engine in engines]
    for start, stop in itertools.pairwise([0, *range(5, len(text) + 1)]):
        logits = [reader.feed(text[start:stop]) for reader in readers]
        seen = text[None, max(0, stop - CONTEXT) : stop]
        for one, engine in zip(logits, engines, strict=True):
            np.testing.assert_allclose(one, engine.logits(seen)[0, -1], atol=2e-4)
        np.testing.assert_allclose(logits[1], logits[0], atol=2e-4)
