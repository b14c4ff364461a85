"""Stored n-grams of strangers: impossible ones are refused in a line, honest ones come back."""

import numpy as np
import pytest

from architectures.ngram import for_params
from architectures.ngram.numpy_model import Model

VOCAB = 40


def counted(max_params=2000, order=4):
    made = Model(for_params(max_params, VOCAB, order=order))
    made.count((VOCAB * np.random.default_rng(0).random((60, 33)) ** 3).astype(np.int32))
    made.finalize()
    return made


WEIGHTS = counted().weights()


def put(name, at, value):
    array = WEIGHTS[name].copy()
    array[at] = value
    return {name: array}


def swapped(name):
    return {name: np.concatenate((WEIGHTS[name][1::-1], WEIGHTS[name][2:]))}


def more_runs(k):
    """The first run of equal counts in two runs of the same count."""
    (first, num), rest = WEIGHTS[f"counts.{k}"][:, 0], WEIGHTS[f"counts.{k}"][:, 1:]
    split = np.array([[first, first], [num - 1, 1]], dtype=np.int64)
    return {f"counts.{k}": np.concatenate((split, rest), axis=1)}


IMPOSSIBLE = {
    "a discount above its count": (put("discounts.3", 0, 1.5), "discounts.3.*up to 1, 2 and 3"),
    "a large discount of many": (put("discounts.2", 2, 3.5), "discounts.2.*up to 1, 2 and 3"),
    "a negative discount": (put("discounts.4", 1, -0.5), "discounts.4.*above 0"),
    "no discount": (put("discounts.1", 0, 0.0), "discounts.1.*above 0"),
    "a discount that is no number": (put("discounts.2", 0, np.nan), "discounts.2.*above 0"),
    "an infinite discount": (put("discounts.2", 2, np.inf), "discounts.2.*up to"),
    "discounts left out": ({"discounts.3": None}, "discounts.3.*above 0"),
    "discounts in float64": (
        {"discounts.3": WEIGHTS["discounts.3"].astype(np.float64)},
        "discounts.3.*not as counts are stored",
    ),
    "a count of 0": (put("counts.2", (0, 0), 0), "counts.2.*does not share out"),
    "a negative count": (put("counts.2", (0, 0), -3), "counts.2.*does not share out"),
    "a negative run": (put("counts.2", (1, 0), -3), "counts.2.*does not share out"),
    "counts beyond any text": (put("counts.2", (0, -1), 2**62), "counts.2.*no text is long"),
    "lost beyond any text": (put("lost_counts.3", (0, -1), 2**62), "lost_counts.3.*no text is"),
    "a negative loss": (put("lost_counts.3", (0, 0), -1), "lost_counts.3.*does not share"),
    "runs of one count": (more_runs(3), "counts.3.*each once"),
    "keys out of order": (swapped("ngrams.3"), "ngrams.3.*in order"),
    "a key twice": (put("ngrams.3", 1, WEIGHTS["ngrams.3"][0]), "ngrams.3.*none of its keys"),
    "a key of no context": (put("ngrams.3", 0, 2**40), "ngrams.3.*none of its keys"),
    "a negative key": (put("ngrams.3", 0, -1), "ngrams.3.*none of its keys"),
    "fewer keys than counts": ({"ngrams.2": WEIGHTS["ngrams.2"][1:]}, "ngrams.2.*share out"),
    "another array": ({"more": np.ones(3, np.int64)}, "do not fit the model: more"),
    "counts of floats": (
        {"counts.2": WEIGHTS["counts.2"].astype(np.float32)},
        "counts.2.*expected integers",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_tables_are_refused_in_one_line(name):
    changes, says = IMPOSSIBLE[name]
    arrays = {k: v for k, v in (WEIGHTS | changes).items() if v is not None}
    made = counted(5000)
    before = made.nll(np.zeros((1, 5), np.int32))
    with pytest.raises(ValueError, match=says) as caught:
        made.load(arrays)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(made.nll(np.zeros((1, 5), np.int32)), before)


def test_more_numbers_than_the_config_says_are_refused():
    with pytest.raises(ValueError, match=r"do not fit the model: \d+ numbers, at most 500"):
        Model(for_params(500, VOCAB, order=4)).load(WEIGHTS)


@pytest.mark.parametrize("max_params", [500, 2000, 50_000])
def test_honest_tables_come_back_and_every_stored_context_sums_to_one(max_params):
    made, again = counted(max_params), Model(for_params(max_params, VOCAB, order=4))
    again.load(made.weights())
    rows = (VOCAB * np.random.default_rng(0).random((60, 33)) ** 3).astype(np.int32)
    np.testing.assert_array_equal(again.nll(rows), made.nll(rows))
    sums = np.exp(again.log_probs(rows[:8, :-1]).astype(np.float64)).sum(axis=-1)
    np.testing.assert_allclose(sums, 1.0, atol=1e-5)
