"""Scoring by the compiled pass of training: where it serves, and where it does not."""

import numpy as np
import pytest
import torch
from helpers.engines import load_random, random_rows, small_engine

from speedrun.backends.torch.compile import CheckedCompile
from speedrun.models import loader


@pytest.fixture
def passes(monkeypatch):
    """(rows, training, gradients) of each pass through what takes the compiler's place."""
    seen: list[tuple[int, bool, bool]] = []

    def compiled(self):
        def forward(*inputs):
            seen.append((len(inputs[0]), self._model.training, torch.is_grad_enabled()))
            return self.eager(*inputs)

        return forward

    monkeypatch.setattr(CheckedCompile, "_compile", compiled)
    monkeypatch.setattr(CheckedCompile, "_slowdown", lambda *_: 0.0)
    return seen


def after_a_step(**options):
    engine = small_engine(compile=True, kernels=False, **options)
    engine.step(random_rows(), 1.0)
    load_random(engine)
    return engine


def plain_nll(engine, rows):
    """The same engine's nats without the compiled pass."""
    as_trained, engine.losses.as_trained = engine.losses.as_trained, lambda rows: None
    try:
        return engine.nll(rows, 0)
    finally:
        engine.losses.as_trained = as_trained


@pytest.mark.parametrize("num_rows", [1, 4, 11])
def test_rows_are_scored_in_pieces_of_a_step_and_cost_the_same(passes, num_rows):
    engine = after_a_step()
    passes.clear()
    rows = random_rows(1, num_rows)
    nats = engine.nll(rows, 0)
    pieces = 1 + -(-num_rows // 4)  # and one on trial
    assert passes == [(4, True, True)] * pieces  # the rows of a step, padded
    np.testing.assert_allclose(nats, plain_nll(engine, rows), rtol=1e-5)
    assert not engine.model.training
    assert all(param.grad is None for param in engine.model.parameters())


def test_before_a_step_and_for_short_rows_nothing_is_compiled(passes):
    engine = small_engine(compile=True, kernels=False)
    engine.nll(random_rows(), 0)
    assert not passes
    engine.step(random_rows(), 1.0)
    passes.clear()
    engine.nll(random_rows()[:, :9], 0)
    engine.rebuilt().nll(random_rows(), 0)
    assert not passes


def computing(monkeypatch, features):
    """An engine of a transformer that computes these features, given its own ones."""
    model = loader.architecture("transformer").model("torch")
    own = model.features
    monkeypatch.setattr(model, "features", lambda self, *inputs: features(self, own, *inputs))
    return after_a_step()


def test_a_model_that_computes_otherwise_in_training_is_scored_plainly(passes, monkeypatch):
    def dropping(model, own, *inputs):
        return own(model, *inputs) * (1.1 if model.training else 1.0)

    engine, rows = computing(monkeypatch, dropping), random_rows(1)
    np.testing.assert_array_equal(engine.nll(rows, 0), plain_nll(engine, rows))


def test_a_model_that_counts_its_passes_in_training_is_scored_plainly(passes, monkeypatch):
    def counting(model, own, *inputs):
        if not hasattr(model, "count"):
            model.register_buffer("count", torch.zeros(()))
        model.count += float(model.training)
        return own(model, *inputs)

    engine, rows = computing(monkeypatch, counting), random_rows(1)
    count = engine.model.count.clone()
    passes.clear()
    engine.nll(rows, 0)
    assert torch.equal(engine.model.count, count)
    assert len(passes) == 1  # on trial
