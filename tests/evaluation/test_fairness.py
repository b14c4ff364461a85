"""Models that break a rule are refused with the number found."""

import numpy as np
import pytest
from helpers.fakes import BoundEngine, TableEngine

from speedrun.evaluation import fairness
from speedrun.evaluation.fairness import UnfairModelError

VOCAB = 12


def random_table(seed=0):
    return np.random.default_rng(seed).normal(size=(VOCAB, VOCAB))


def test_a_fair_model_passes():
    fairness.check(TableEngine(random_table()), VOCAB, 16, "exact")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"leak": 1}, "not causal"),
        ({"leak": 5}, "not causal"),
        ({"scale_nats": 0.5}, "not normalised"),
        ({"mix": 0.01}, "not causal|affect each other|not normalised"),
    ],
)
def test_an_unfair_model_is_refused_with_the_number_found(fault, says):
    with pytest.raises(UnfairModelError, match=says) as caught:
        fairness.check(TableEngine(random_table(), **fault), VOCAB, 16, "exact")
    assert any(c.isdigit() for c in str(caught.value))


def test_wrong_shapes_are_refused():
    engine = TableEngine(np.zeros((VOCAB, VOCAB + 1)))
    with pytest.raises(UnfairModelError, match="shape"):
        fairness.check(engine, VOCAB, 16, "exact")


def test_a_score_that_is_not_finite_is_refused():
    engine = TableEngine(np.full((VOCAB, VOCAB), np.nan))
    with pytest.raises(UnfairModelError, match="not finite"):
        fairness.check(engine, VOCAB, 16, "exact")


def test_a_fair_bound_passes():
    fairness.check(BoundEngine(VOCAB), VOCAB, 16, "bound")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"scale": 0.5}, "not a bound"),  # terms left out
        ({"mix": 0.1}, "affect each other"),
        ({"charge_given": True}, "must be free"),
        ({"scale": np.nan}, "not finite"),
        ({"num_logits": VOCAB + 1}, "shape"),
    ],
)
def test_an_unfair_bound_is_refused_with_what_was_found(fault, says):
    with pytest.raises(UnfairModelError, match=says):
        fairness.check(BoundEngine(VOCAB, **fault), VOCAB, 16, "bound")
