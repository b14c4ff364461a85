"""Models that break a rule are refused with the number found."""

import numpy as np
import pytest
from helpers.fakes import BoundEngine, TableEngine

from speedrun.evaluation.fairness import UnfairModelError, random_rows

VOCAB = 12
TABLE = np.random.default_rng(0).normal(size=(VOCAB, VOCAB))


def test_a_fair_model_passes():
    random_rows.check(TableEngine(TABLE), VOCAB, 16, "exact")
    random_rows.check(BoundEngine(VOCAB), VOCAB, 16, "bound")


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (TableEngine(TABLE, leak=1), "not causal"),
        (TableEngine(TABLE, leak=5), "not causal"),
        (TableEngine(TABLE, scale_nats=0.5), "not normalised"),
        (TableEngine(TABLE, mix=0.01), "not causal|affect each other|not normalised"),
        (TableEngine(np.zeros((VOCAB, VOCAB + 1))), "shape"),
        (TableEngine(np.full((VOCAB, VOCAB), np.nan)), "not finite"),
        (BoundEngine(VOCAB, scale=0.5), "not a bound"),  # terms left out
        (BoundEngine(VOCAB, mix=0.1), "affect each other"),
        (BoundEngine(VOCAB, charge_given=True), "must be free"),
        (BoundEngine(VOCAB, scale=np.nan), "not finite"),
        (BoundEngine(VOCAB, num_logits=VOCAB + 1), "shape"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_unfair_model_is_refused_with_what_was_found(engine, says):
    likelihood = "bound" if hasattr(engine, "charge_given") else "exact"
    with pytest.raises(UnfairModelError, match=says) as caught:
        random_rows.check(engine, VOCAB, 16, likelihood)
    assert any(c.isdigit() for c in str(caught.value)) or "finite" in says
