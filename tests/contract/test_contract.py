"""The contract of every architecture on every backend."""

import time

import numpy as np
import pytest
from contract.conftest import VOCAB
from helpers.engines import assert_same_weights

from speedrun.evaluation.fairness import random_rows


def trained(engine, rows, num_steps=5):
    for _ in range(num_steps):
        engine.step(rows(), 1.0)
    engine.sync()
    return engine


def test_probabilities_of_all_continuations_sum_to_one(exact_pair, rows):
    engine = trained(exact_pair.engine(), rows)
    prefix = rows(1)[:, :5]
    two = np.array([(a, b) for a in range(VOCAB) for b in range(VOCAB)], dtype=np.int32)
    every = np.concatenate((np.repeat(prefix, len(two), axis=0), two), axis=1)
    nats = engine.nll(every, 0)[:, -2:].sum(axis=1)
    assert np.exp(-nats).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_training_helps_moves_every_parameter_and_passes_the_checks_of_records(pair, rows):
    engine, unseen = pair.engine(), rows(16)
    weights, before = engine.weights(), engine.nll(unseen, 0).mean()
    after = trained(engine, rows, 60).weights()
    assert engine.nll(unseen, 0).mean() < before - 0.5
    still = [name for name in after if np.array_equal(after[name], weights.get(name, ()))]
    assert after and not still, "a parameter that never moves is a setting without effect"
    random_rows.check(engine, VOCAB, pair.config.context, pair.architecture.LIKELIHOOD)
    if pair.architecture.LIKELIHOOD == "exact":  # or sums of one would show nothing
        assert np.std(engine.logits(rows()[:, :-1]), axis=-1).mean() > 0.1


def test_nats_depend_on_the_seed_alone(pair, rows):
    engine = trained(pair.engine(), rows)
    batch = rows()
    first = engine.nll(batch, 7)
    engine.nll(rows(), 3)
    np.testing.assert_array_equal(engine.nll(batch, 7), first)
    assert first.dtype == np.float64 and first.shape == (4, 16)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_after_reset_equals_a_fresh_one(pair, rows, optimizer):
    batches = [rows() for _ in range(6)]
    engine, fresh = pair.engine(optimizer=optimizer), pair.engine(optimizer=optimizer)
    trained(engine, rows, 5)
    engine.reset()
    for batch in batches:
        engine.step(batch, 0.7)
        fresh.step(batch, 0.7)
    assert engine.train_loss() == fresh.train_loss()
    assert_same_weights(engine.weights(), fresh.weights())


def test_the_same_seed_is_the_same_run_and_another_is_not(pair, rows):
    batch = rows()
    engines = [pair.engine(seed) for seed in (0, 0, 1)]
    for engine in engines:
        engine.step(batch, 1.0)
    nats = [engine.nll(batch, 0) for engine in engines]
    np.testing.assert_array_equal(nats[0], nats[1])
    pair.needs_drawn("every seed is the same run")
    assert np.abs(nats[0] - nats[2]).max() > 1e-3


def test_the_learning_rate_scale_counts(pair, rows):
    pair.needs_drawn("there is no learning rate")
    engine, batch = pair.engine(), rows()
    before = engine.weights()
    engine.step(batch, 0.0)
    assert_same_weights(engine.weights(), before)


def test_small_pieces_make_the_same_step(pair, rows):
    batches = [rows() for _ in range(3)]
    whole, pieces = pair.engine(optimizer="adamw"), pair.engine(optimizer="adamw")
    assert pieces.halve_micro_batch() == 2
    for batch in batches:
        whole.step(batch, 1.0)
        pieces.step(batch, 1.0)
    assert pieces.train_loss() == pytest.approx(whole.train_loss(), rel=1e-4)
    for name, value in whole.weights().items():
        np.testing.assert_allclose(pieces.weights()[name], value, atol=2e-3, err_msg=name)


def test_weights_travel(pair, rows):
    engine, other = trained(pair.engine(), rows), pair.engine(seed=1)
    batch = rows()
    assert not np.array_equal(other.nll(batch, 0), engine.nll(batch, 0))
    other.load(engine.weights())
    np.testing.assert_array_equal(other.nll(batch, 0), engine.nll(batch, 0))


def test_what_is_stored_is_what_counts(pair, rows):
    """A trained network stores its configuration's parameters, a counted model at most those."""
    stored = sum(w.size for w in trained(pair.engine(), rows).weights().values())
    if pair.is_drawn:
        assert stored == pair.config.num_params
    assert 0 < stored <= pair.config.num_params


def test_the_rest_of_training_is_done_once(pair, rows):
    engine = trained(pair.engine(), rows)
    assert engine.finalize_s() >= 0
    engine.finalize()
    before = engine.weights()
    engine.finalize()
    assert_same_weights(engine.weights(), before)


def test_weights_that_do_not_fit_are_refused(pair, rows):
    engine = trained(pair.engine(), rows)
    weights = engine.weights()
    name = next(iter(weights))
    with pytest.raises(ValueError, match="shape"):
        engine.load({**weights, name: weights[name][:1]})
    with pytest.raises(ValueError, match="do not fit"):
        engine.load({**weights, "stranger": weights[name]})
    assert_same_weights(engine.weights(), weights)


@pytest.mark.slow
def test_a_profile_adds_up_to_real_steps_and_changes_nothing(pair, rows):
    profiled, plain = pair.engine(), pair.engine()
    trained(profiled, rows, 2)
    profiled.reset()
    batches = [rows() for _ in range(4)]
    since_s = time.perf_counter()
    profile = profiled.profile(batches)
    taken_s = (time.perf_counter() - since_s) / len(batches)
    assert 0.5 * taken_s < profile.step_s <= taken_s
    assert min(profile.parts_s.values()) >= 0
    for batch in batches:
        plain.step(batch, 1.0)
    assert_same_weights(profiled.weights(), plain.weights())
