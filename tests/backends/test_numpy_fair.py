"""Counted models that give themselves better scores than their probabilities."""

import numpy as np
import pytest
from helpers.engines import random_rows, small_engine

from architectures.ngram.numpy_model import Model
from speedrun.protocols import UnfairModelError


def on_known_text(self, rows):
    """Cheaper where the history was seen, as no random one is."""
    return np.where(honest_nll(self, rows) < 3.0, 0.5, 1.0) * honest_nll(self, rows)


def of_its_future(self, tokens):
    return honest_log_probs(self, tokens) + 0.1


honest_nll, honest_log_probs = Model.nll, Model.log_probs
CHEATS = {
    "nats": ("nll", lambda self, rows: 0.9 * honest_nll(self, rows), "scores differ"),
    "nats where the text is known": ("nll", on_known_text, "scores differ"),
    "probabilities": ("log_probs", of_its_future, r"add up to 1\.1"),
    "no numbers": (
        "log_probs",
        lambda self, t: honest_log_probs(self, t) * np.nan,
        "add up to nan",
    ),
    "shape": ("nll", lambda self, rows: honest_nll(self, rows)[:, 1:], "shape"),
}


def counted():
    engine = small_engine("ngram", "numpy")
    for seed in range(4):
        engine.step(random_rows(seed, 64) % 5, 1.0)
    engine.finalize()
    return engine


@pytest.mark.parametrize("name", CHEATS)
def test_scores_that_are_not_the_probabilities_are_refused(name, monkeypatch):
    method, cheat, says = CHEATS[name]
    engine = counted()
    # A race of another test may have executed the architecture's code anew since.
    monkeypatch.setattr(type(engine._model), method, cheat)
    with pytest.raises(ValueError, match=says) as caught:
        for _ in range(20):  # each call compares a place of its own
            engine.nll(random_rows(0, 64) % 5, 0)
    assert isinstance(caught.value, UnfairModelError) or name == "shape"


def test_honest_counts_are_scored_wherever_they_are_compared():
    engine = counted()
    rows = random_rows(9, 64) % 7
    for _ in range(50):
        np.testing.assert_array_equal(engine.nll(rows, 0), engine._model.nll(rows))
