"""A model's score rests on what is saved: whatever else it keeps is found, or is gone."""

import random
from typing import Any

import numpy as np
import pytest
from helpers.engines import CONTEXT, VOCAB, assert_same_weights, folder_engine
from helpers.stateful import DISHONEST, HONEST, IN_A_GENERATOR

from speedrun.evaluation.fairness import UnfairModelError, random_rows, saved

SEED = 3
torch = pytest.importorskip("torch")
ROWS = np.random.default_rng(0).integers(0, VOCAB, (4, CONTEXT + 1), dtype=np.int32)


@pytest.fixture
def engine_of(tmp_path):
    """`engine_of(parts)` is an engine of an architecture in a folder of its own."""

    def made(parts, seed=SEED) -> Any:
        folder = tmp_path / "model"
        if not folder.exists():
            parts.write(folder)
        return folder_engine(folder, seed=seed)

    return made


def trained(engine, num_steps=4):
    for _ in range(num_steps):
        engine.step(ROWS, 1.0)
    return engine


def checked(engine):
    """The engine that would score, after the checks of a race."""
    rebuilt = engine.rebuilt()
    saved.check_rebuilt(engine, rebuilt, list(ROWS), CONTEXT)
    random_rows.check(rebuilt, VOCAB, CONTEXT, "exact")
    return rebuilt


@pytest.mark.parametrize("name", DISHONEST)
def test_what_is_learned_and_not_saved_is_refused(name, engine_of):
    engine = trained(engine_of(DISHONEST[name]))
    with pytest.raises(
        UnfairModelError, match=r"not the model that is saved: .* \d.* nats"
    ) as caught:
        checked(engine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_is_scored_as_it_trained_and_as_it_is_loaded(name, engine_of):
    engine = trained(engine_of(HONEST[name]))
    scored = checked(engine)
    loaded = engine_of(HONEST[name], seed=0)
    loaded.load(engine.weights())
    np.testing.assert_allclose(scored.nll(ROWS, 0), engine.nll(ROWS, 0), atol=1e-6)
    np.testing.assert_array_equal(scored.nll(ROWS, 0), loaded.nll(ROWS, 0))
    assert scored.nll(ROWS, 0).mean() < engine_of(HONEST[name]).nll(ROWS, 0).mean()
    assert sum(w.size for w in engine.weights().values()) == engine._spec.config.num_params


def test_what_a_global_generator_remembers_is_gone(engine_of):
    engine = trained(engine_of(IN_A_GENERATOR))
    before, scored = engine.nll(ROWS, 0), checked(engine)
    loaded = engine_of(IN_A_GENERATOR, seed=0)
    loaded.load(engine.weights())
    np.testing.assert_array_equal(scored.nll(ROWS, 0), loaded.nll(ROWS, 0))
    assert np.abs(scored.nll(ROWS, 0) - before).max() > 0.1


@pytest.mark.parametrize("name", HONEST)
def test_after_a_reset_an_honest_model_trains_as_if_new(name, engine_of):
    engine = trained(engine_of(HONEST[name]))
    random.seed(1)
    np.random.rand()
    torch.rand(1)
    engine.reset()
    again = trained(engine)
    losses, weights = again.train_loss(), again.weights()
    fresh = trained(engine_of(HONEST[name]))
    assert_same_weights(weights, fresh.weights())
    assert losses == fresh.train_loss()
