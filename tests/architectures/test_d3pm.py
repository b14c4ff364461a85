"""Sizes of D3PM, its noise, its reversal, and its settings that cannot be."""

from typing import Any

import numpy as np
import pytest
from helpers.engines import small_engine

from architectures import d3pm
from architectures.d3pm import diffusion
from speedrun.backends import targets


def test_recurrent_weights_start_orthogonal_and_the_forget_gate_open():
    config = d3pm.for_params(100_000, 300, denoiser="lstm")
    weights, H = d3pm.initial(config, 0), config.hidden
    for gate in np.split(weights["layers.0.left.weight_h"], 4):
        np.testing.assert_allclose(gate @ gate.T, np.eye(H), atol=1e-5)
    np.testing.assert_array_equal(
        weights["layers.0.right.bias"], np.repeat([0, 1, 0, 0], H).astype(np.float32)
    )


def noisy(transition: Any, shares, prefix_length: int | None = None, length: int = 2001):
    config = d3pm.Config(vocab=50, context=length - 1, transition=transition, num_common=0)
    rows = np.random.default_rng(0).integers(0, 50, (len(shares), length), dtype=np.int32)
    rng = np.random.default_rng(1)
    return config, rows, diffusion.q_sample(config, rows, np.array(shares), rng, prefix_length)


@pytest.mark.parametrize("share", [0.001, 0.25, 0.8, 1.0])
@pytest.mark.parametrize("transition", ["absorbing", "uniform"])
def test_noise_hides_a_share_of_the_tokens_or_replaces_it_by_any(transition, share):
    config, rows, batch = noisy(transition, [share])
    changed = (batch.noisy != rows)[:, 1:]
    assert batch.steps[0] == round(share * config.num_steps)
    if transition == "absorbing":
        assert changed.mean() == pytest.approx(share, abs=0.04)
        np.testing.assert_array_equal(batch.noisy == config.vocab, batch.active)
        np.testing.assert_array_equal(changed, batch.active[:, 1:])
    else:
        assert changed.mean() == pytest.approx(share * (1 - 1 / config.vocab), abs=0.04)
        assert batch.noisy.max() < config.vocab
        assert batch.active[:, 1:].all() and not batch.active[:, 0].any()


@pytest.mark.parametrize("transition", ["absorbing", "uniform"])
def test_context_is_never_noisy_and_rows_have_noise_of_their_own(transition):
    _, rows, batch = noisy(transition, [1.0, 0.5, 1.0], prefix_length=700)
    np.testing.assert_array_equal(batch.noisy[:, :701], rows[:, :701])
    assert not batch.active[:, :701].any()
    _, _, alone = noisy(transition, [1.0], prefix_length=700)
    np.testing.assert_array_equal(alone.noisy, batch.noisy[:1])


@pytest.mark.parametrize("transition", ["absorbing", "uniform"])
@pytest.mark.parametrize("draws_in_a_row", [1, 3])
def test_scored_noise_weighted_is_the_process_to_the_last_state(transition, draws_in_a_row):
    """Weights times frequencies are the probabilities of every step with every set of hit tokens,
    added up by hand: whatever the network says, its terms have the bound as their mean.
    """
    num_steps, num_places, num_draws = 3, 3, 60_000
    config = d3pm.Config(
        vocab=1000, context=1 + num_places, transition=transition, num_steps=num_steps, num_common=0
    )
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.integers(0, 1000, (num_draws, 2 + num_places), dtype=np.int32), 3, axis=0)
    shares = np.concatenate([targets.stratified_timesteps(3, rng) for _ in range(num_draws)])
    if draws_in_a_row == 1:  # no row is like its neighbours
        order = rng.permutation(len(rows))
        rows, shares = rows[order], shares[order]
    batch = diffusion.q_sample(config, rows, shares, rng, 1)
    hit = (batch.noisy != rows)[:, 2:]
    state = (batch.steps - 1) * 2**num_places + hit @ 2 ** np.arange(num_places)
    found = np.bincount(state, batch.weights, num_steps * 2**num_places) / len(rows)
    replaced = 1.0 if transition == "absorbing" else 1 - 1 / config.vocab
    for index, probability in enumerate(found):
        step, hits = 1 + index // 2**num_places, (index % 2**num_places).bit_count()
        p = step / num_steps * replaced
        expected = p**hits * (1 - p) ** (num_places - hits) / num_steps
        if transition == "absorbing" and not hits:
            expected = 0.0  # no term, so it is never drawn
        assert probability == pytest.approx(expected, abs=0.0025), (step, hits)
    for place in range(num_places) if transition == "absorbing" else ():
        terms = np.where(hit[:, place], num_steps / batch.steps, 0.0) * batch.weights
        assert terms.mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("transition", ["absorbing", "uniform"])
def test_equal_rows_hit_every_token_equally_often(transition):
    config, rows, _ = noisy(transition, [0.5], 0)
    rows, shares = np.repeat(rows, 4, axis=0), np.array([0.3, 0.9, 0.5, 0.7])
    batch = diffusion.q_sample(config, rows, shares, np.random.default_rng(0), 0)
    times = ((batch.noisy != rows) | (batch.noisy == config.vocab))[:, 1:].sum(axis=0)
    least = int((shares**2).sum())
    assert np.isin(times, (least, least + 1)).mean() > (0.95 if transition == "uniform" else 0.998)


@pytest.mark.parametrize("transition", ["absorbing", "uniform"])
@pytest.mark.parametrize("num_steps", [1, 7, 1000, 5000])
def test_the_reverse_process_draws_what_is_predicted_and_keeps_the_prompt(transition, num_steps):
    config = d3pm.Config(vocab=20, context=40, transition=transition, num_common=0)
    answer = np.random.default_rng(0).integers(0, 20, 30)
    steps = []

    def probs(tokens, step):
        steps.append(step)
        return np.eye(20)[answer]

    tokens = np.zeros(30, dtype=np.int32)
    tokens[:4] = (7, 7, 3, 7)
    drawn = diffusion.p_sample(config, tokens, 4, num_steps, probs, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[:4], (7, 7, 3, 7))
    np.testing.assert_array_equal(drawn[4:], answer[4:])
    assert len(steps) == min(num_steps, config.num_steps)
    assert steps[0] == config.num_steps and sorted(steps, reverse=True) == steps


@pytest.mark.parametrize("transition", ["absorbing", "uniform"])
def test_reversing_the_noise_of_independent_tokens_gives_their_distribution(transition):
    """With the true posterior as prediction, few or many strides draw from the truth."""
    config = d3pm.Config(vocab=4, context=4000, transition=transition, num_common=0)
    truth = np.array([0.6, 0.25, 0.1, 0.05])

    def probs(tokens, step):
        kept = 1 - step / config.num_steps
        likelihood = np.full((len(tokens), 4), (1 - kept) / 4)
        seen = tokens < 4
        likelihood[seen, tokens[seen]] += kept
        if transition == "absorbing":
            likelihood = np.where(seen[:, None], np.eye(5)[tokens][:, :4], 1.0)
        posterior = truth * likelihood
        return posterior / posterior.sum(axis=1, keepdims=True)

    for num_steps in (3, 50):
        rng = np.random.default_rng(num_steps)
        drawn = diffusion.p_sample(config, np.zeros(4000, np.int32), 0, num_steps, probs, rng)
        found = np.bincount(drawn, minlength=4) / 4000
        np.testing.assert_allclose(found, truth, atol=0.03)


@pytest.mark.slow
def test_the_loss_can_be_the_bound():
    """bound_weight and auxiliary change what is trained: losses differ, and both learn."""
    rows = np.tile(np.arange(17, dtype=np.int32), (8, 1))
    first, last = [], []
    for bound_weight, auxiliary in ((0.0, 1.0), (1.0, 0.0), (1.0, 0.5)):
        weights = {"bound_weight": bound_weight, "auxiliary": auxiliary}
        engine = small_engine("d3pm", model=weights, batch_rows=8)
        engine.step(rows, 1.0)
        first.append(engine.train_loss())
        for _ in range(40):
            engine.step(rows, 1.0)
        engine.train_loss()
        for _ in range(20):  # at a rate of nothing, to average over the noise
            engine.step(rows, 0.0)
        last.append(engine.train_loss())
    assert first[2] == pytest.approx(first[1] + 0.5 * first[0], rel=1e-4)
    assert all(after < 0.8 * before for before, after in zip(first, last, strict=True))
