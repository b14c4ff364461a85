"""Bounds of diffusion against likelihoods that can be added up by hand.

The chain is written out here, from the definition: over two tokens of a vocabulary of three,
all states of all steps are enumerated, and nothing is taken from the code under test but the
network's predictions.
"""

import itertools
from typing import Any

import numpy as np
import pytest
from contract.conftest import Pair, pairs

VOCAB, NUM_TOKENS, FIRST = 3, 2, 1


class Chain:
    """The noise process and its learnt reversal, by enumeration."""

    def __init__(self, engine, transition: str, num_steps: int) -> None:
        self.engine, self.absorbing, self.T = engine, transition == "absorbing", num_steps
        self.num_symbols = VOCAB + self.absorbing
        self.states = list(itertools.product(range(self.num_symbols), repeat=NUM_TOKENS))

    def forward(self, step: int, start: int) -> np.ndarray:
        """q(x_step = . | x_start) of one token, as a matrix [from, to]."""
        kept = (1 - step / self.T) / (1 - start / self.T)
        noise = np.zeros((self.num_symbols, self.num_symbols))
        noise[:, -1 if self.absorbing else slice(None)] = 1 if self.absorbing else 1 / VOCAB
        return kept * np.eye(self.num_symbols) + (1 - kept) * noise

    def predicted(self, step: int) -> np.ndarray:
        """The network's p(x_0) [state, place, vocab]."""
        rows = np.array([(FIRST, *state) for state in self.states], dtype=np.int32)
        logits = self.engine.logits(rows, np.full(len(rows), step, dtype=np.int32))[:, 1:]
        probs = np.exp(logits.astype(np.float64))
        return probs / probs.sum(axis=-1, keepdims=True)

    def reverse(self, step: int, noisy: int, clean: np.ndarray) -> np.ndarray:
        """p(x_{step-1} = . | x_step = noisy) of one token, for p(x_0) = clean."""
        if self.absorbing and noisy != VOCAB:
            return np.eye(self.num_symbols)[noisy]
        joint = self.forward(step - 1, 0)[:VOCAB] * self.forward(step, step - 1)[:, noisy]
        return clean @ (joint / joint.sum(axis=1, keepdims=True))

    def likelihoods(self) -> dict[tuple[int, ...], float]:
        """p(x_0) of every sequence, through all chains."""
        if self.absorbing:
            probs = np.array([float(all(x == VOCAB for x in state)) for state in self.states])
        else:
            probs = np.full(len(self.states), 1 / len(self.states))
        for step in range(self.T, 0, -1):
            clean = self.predicted(step)
            moves = np.zeros((len(self.states), len(self.states)))
            for i, state in enumerate(self.states):
                ways = [self.reverse(step, x, clean[i, n]) for n, x in enumerate(state)]
                moves[i] = np.multiply.outer(*ways).ravel()
            probs = probs @ moves
        return dict(zip(self.states, probs, strict=True))

    def bound(self, clean: tuple[int, ...]) -> float:
        """The variational bound in nats, its expectation over q added up."""
        total = 0.0
        for step in range(1, self.T + 1):
            predicted, forward = self.predicted(step), self.forward(step, 0)
            for i, state in enumerate(self.states):
                weight = np.prod([forward[c, x] for c, x in zip(clean, state, strict=True)])
                for n, (c, x) in enumerate(zip(clean, state, strict=True)):
                    if not weight:
                        continue
                    certain = np.eye(VOCAB)[c]
                    q = self.reverse(step, x, certain)
                    p = self.reverse(step, x, predicted[i, n])
                    hit = q > 0
                    total += weight * np.sum(q[hit] * np.log(q[hit] / p[hit]))
        return total


def cases() -> list:
    return [
        pytest.param(*param.values, transition, id=f"{param.id}-{transition}", marks=param.marks)
        for param in pairs("bound")
        for transition in ("absorbing", "uniform")
    ]


def tiny(case, transition: str, num_steps: int):
    pair = Pair(*case)
    config_of: Any = pair.architecture.Config
    small = {"width": 16, "depth": 1, "heads": 1, "hidden": 16, "value_tables": 0}
    config = config_of(
        vocab=VOCAB,
        context=NUM_TOKENS,
        transition=transition,
        num_steps=num_steps,
        num_common=0,
        **small,
    )
    return pair.engine(config=config, batch_rows=32, lr=0.01)


SEQUENCES = list(itertools.product(range(VOCAB), repeat=NUM_TOKENS))


def estimated(engine, clean, num_draws: int) -> tuple[float, float]:
    """The engine's bound in nats and its standard error."""
    rows = np.tile(np.array([FIRST, *clean], dtype=np.int32), (num_draws, 1))
    batches = [engine.nll(rows, seed).sum(axis=1).mean() for seed in range(16)]
    return float(np.mean(batches)), float(np.std(batches, ddof=1) / 4)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "transition"), cases())
@pytest.mark.parametrize("num_steps", [1, 3])
def test_the_bound_is_the_papers_and_lies_above_the_likelihood(case, transition, num_steps):
    engine = tiny(case, transition, num_steps)
    rng = np.random.default_rng(3)  # weights that make predictions differ from state to state
    engine.load({n: rng.normal(0, 0.6, w.shape) for n, w in engine.weights().items()})
    chain = Chain(engine, transition, num_steps)
    likelihoods = chain.likelihoods()
    assert sum(likelihoods.values()) == pytest.approx(1.0)
    total, gaps = 0.0, []
    for clean in SEQUENCES:
        bound = chain.bound(clean)
        found, error = estimated(engine, clean, 512)
        assert found == pytest.approx(bound, abs=4 * error + 1e-4)
        gaps.append(bound + np.log(likelihoods[clean]))
        total += np.exp(-bound)
    assert total <= 1.0 + 1e-6
    assert min(gaps) > -1e-6
    if transition == "absorbing" and num_steps == 1:
        assert max(gaps) < 1e-6, "everything is revealed at once: nothing is lost"
    elif num_steps == 3:
        assert max(gaps) > 0.01, "weights at random must leave a gap, or this test shows nothing"


@pytest.mark.slow
@pytest.mark.parametrize(("case", "transition"), cases())
def test_the_bound_of_a_trained_model_is_tight(case, transition):
    engine = tiny(case, transition, 4)
    rng = np.random.default_rng(0)
    truth = np.array([0.5, 0.0, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0, 0.2])  # two equal tokens
    every = np.array([(FIRST, *pair) for pair in SEQUENCES], dtype=np.int32)
    for step in range(400):
        engine.step(every[rng.choice(len(every), 32, p=truth)], 1.0 - step / 400)
    chain = Chain(engine, transition, 4)
    likelihoods = chain.likelihoods()
    for clean, prob in zip(SEQUENCES, truth, strict=True):
        if prob:
            found, error = estimated(engine, clean, 256)
            assert found >= -np.log(likelihoods[clean]) - 4 * error
    bound = sum(p * chain.bound(c) for c, p in zip(SEQUENCES, truth, strict=True) if p)
    nats = -sum(p * np.log(likelihoods[c]) for c, p in zip(SEQUENCES, truth, strict=True) if p)
    assert bound - nats < 0.15
    assert nats < 2 * np.log(3) - 0.5, "it has learnt something"


@pytest.mark.slow
@pytest.mark.parametrize(("case", "transition"), cases())
def test_given_tokens_are_seen_and_free(case, transition):
    engine = tiny(case, transition, 3)
    rng = np.random.default_rng(3)
    engine.load({n: rng.normal(0, 0.6, w.shape) for n, w in engine.weights().items()})
    rows = np.array([(FIRST, 0, 2)], dtype=np.int32).repeat(64, axis=0)
    nats = engine.nll(rows, 0, 1)
    assert not nats[:, 0].any() and nats[:, 1].any()
    rows[:, 1] = 1
    assert np.abs(engine.nll(rows, 0, 1) - nats)[:, 1].max() > 1e-3
