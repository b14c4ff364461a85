"""Bounds from noise draws: unbiased, precise enough, and charged for the lengths they are told."""

import math

import numpy as np
import pytest
from helpers.fakes import BoundEngine

from speedrun.backends.targets import stratified_timesteps
from speedrun.data import tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.evaluation import elbo
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.scorer import Scorer
from speedrun.evaluation.windows import windows

VOCAB = 50


def documents(num: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    lengths = rng.choice([1, 6, 15, 31, 59], num)  # few, and so few batches
    return [np.concatenate(([0], rng.integers(1, VOCAB, n), [0])).astype(np.int32) for n in lengths]


def drawn(docs, engine=None, seed=0, watch=lambda share: None):
    todo = windows([len(doc) for doc in docs], 16, 8)
    return elbo.draw(Scorer(engine or BoundEngine(VOCAB)), docs, todo, seed, watch)


@pytest.mark.slow
def test_the_mean_over_draws_is_the_bound_and_its_error_is_the_real_one():
    docs = documents(20)
    truth = sum(len(doc) - 1 for doc in docs) * math.log(VOCAB)
    runs = [drawn(docs, seed=seed) for seed in range(40)]
    off = np.array([run.nats.sum() - truth for run in runs])
    claimed = np.sqrt(np.mean([run.mc_se**2 for run in runs]))
    assert abs(off.mean()) < 4 * claimed / math.sqrt(len(runs))
    assert np.std(off) == pytest.approx(claimed, rel=0.35)


def test_the_number_of_draws_does_not_depend_on_what_they_give():
    """Draws until the error is small enough are a score biased in the entrant's favour."""
    docs, calls = documents(20), []
    for scale in (1.0, 0.001):
        engine = BoundEngine(VOCAB, scale=scale)
        shares: list[float] = []
        drawn(docs, engine, watch=shares.append)
        calls.append(len(engine.calls))
        assert shares == sorted(shares) and shares[-1] == 1.0
    num_windows = len(windows([len(doc) for doc in docs], 16, 8))
    rows = sum(shape[0] for (shape, _, _) in engine.calls)
    assert calls[0] == calls[1] and rows == elbo.NUM_DRAWS * num_windows


def test_context_is_given_and_rows_are_never_padded():
    engine, docs = BoundEngine(VOCAB), documents(20)
    drawn(docs, engine)
    lengths = {len(doc) for doc in docs}
    for (_, length), prefix_length, shares in engine.calls:
        assert prefix_length in (0, 8)
        np.testing.assert_allclose(shares.reshape(-1, elbo.PAIR).sum(axis=1), 1.0)
        assert length in lengths or length == 17 or prefix_length


def test_draws_lie_in_every_part_of_the_noise_process():
    shares = stratified_timesteps(8, np.random.default_rng(0))
    assert sorted(np.ceil(shares * 8)) == list(range(1, 9))
    means = [stratified_timesteps(8, np.random.default_rng(s)).mean() for s in range(300)]
    assert np.mean(means) == pytest.approx(0.5, abs=0.01)
    assert np.std(means) < 0.5 * math.sqrt(1 / 12 / 8)


class SteepEngine:
    """A bound of which a draw costs more the later it is; its mean is a nat for each token."""

    def nll(self, rows, seed, prefix_length, timesteps, where):
        shape = rows[:, 1:].shape
        nats = (4 * timesteps**3 + 2 * timesteps)[:, None] / 2
        nats = nats + np.random.default_rng(seed).normal(0, 0.3, shape)
        return np.where(np.arange(shape[1]) < prefix_length, 0.0, nats)


def test_what_a_time_costs_is_taken_off_and_leaves_the_mean_as_it_is(monkeypatch):
    docs, errors = documents(40), []
    for at_least in (elbo._MIN_ROWS, math.inf):
        monkeypatch.setattr(elbo, "_MIN_ROWS", at_least)
        runs = [drawn(docs, SteepEngine(), seed) for seed in range(60)]
        off = np.array([run.nats.sum() for run in runs]) - sum(len(doc) - 1 for doc in docs)
        errors.append(np.sqrt(np.mean([run.mc_se**2 for run in runs])))
        assert np.std(off) == pytest.approx(errors[-1], rel=0.3)
        assert abs(off.mean()) < 4 * errors[-1] / math.sqrt(len(runs))
    assert errors[0] < 0.5 * errors[1]


def test_draws_of_a_document_do_not_meet_what_was_fitted_to_them():
    todo = windows([17] * 40, 16, 8)
    rng = np.random.default_rng(0)
    sums, shares = rng.normal(size=(2, 40, 2)), rng.random((2, 40, 2))
    before = elbo._expected(sums, shares, todo)
    sums[:, 6] += 10.0
    changed = (elbo._expected(sums, shares, todo) != before).all(axis=(0, 2))
    assert changed.tolist() == [index % 2 == 1 for index in range(40)]


def test_lengths_have_a_price_and_their_prices_are_a_distribution():
    n = np.arange(1.0, 1_000_001.0)
    paid = np.exp(-elbo.length_nats(n)).sum()
    assert 0.9 < paid <= 1.0
    assert elbo.length_nats(np.array([200.0]))[0] == pytest.approx(8.0, abs=0.1)


def test_a_bound_is_scored_with_its_lengths_draws_and_error(monkeypatch):
    bpe = tokenizer.shipped()
    heldout = HeldOut(["One day Tom ran.", "The end of it all.", "x" * 200])

    def scored():
        engine = BoundEngine(bpe.vocab)
        config = evaluate.ScoringConfig(context=64, stride=32, likelihood="bound")
        return evaluate.score(Scorer(engine), evaluate.encode(heldout, bpe), config)

    score = scored()
    assert score.likelihood == "bound" and score.num_draws == 4 and score.length_nats
    assert score.bits_per_byte_mc_se is not None and score.bits_per_byte_mc_se > 0
    num_tokens = [len(bpe.encode(d)) + 1 for d in heldout.documents]
    lengths = elbo.length_nats(np.array(num_tokens, dtype=float)).sum()
    assert score.length_nats == pytest.approx(lengths)
    least = sum(num_tokens) * math.log(bpe.vocab) + lengths
    assert score.nats == pytest.approx(least, rel=0.15)
    monkeypatch.setattr(elbo, "length_nats", np.zeros_like)
    assert score.nats == pytest.approx(scored().nats + lengths, rel=1e-9)
