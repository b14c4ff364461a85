"""Scoring by the compiled pass of training: where it serves, and where it does not."""

import numpy as np
import pytest
import torch
from helpers.engines import load_random, random_rows, small_engine

from speedrun.backends.torch.compile import CheckedCompile


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
    plain = small_engine()
    plain.load(engine.weights())
    return plain.nll(rows, 0)


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


def test_a_model_that_computes_otherwise_in_training_is_scored_plainly(passes, monkeypatch):
    engine = after_a_step()
    features = type(engine.model).features

    def dropping(self, tokens, *others):
        scale = 1.1 if self.training else 1.0
        return features(self, tokens, *others) * scale

    monkeypatch.setattr(type(engine.model), "features", dropping)
    rows = random_rows(1)
    nats = engine.nll(rows, 0)
    monkeypatch.undo()
    np.testing.assert_allclose(nats, plain_nll(engine, rows), rtol=1e-5)


def test_a_model_that_changes_a_buffer_in_training_is_scored_plainly(passes, monkeypatch):
    engine = after_a_step()
    features, cos = type(engine.model).features, engine.model.cos.clone()

    def counting(self, tokens, *others):
        if self.training:
            self.cos += 1.0
        return features(self, tokens, *others)

    monkeypatch.setattr(type(engine.model), "features", counting)
    rows = random_rows(1)
    nats = engine.nll(rows, 0)
    assert torch.equal(engine.model.cos, cos)
    np.testing.assert_allclose(nats, plain_nll(engine, rows), rtol=1e-5)
