"""The state of an engine: training that goes on from it is the same training."""

import importlib.util
import random

import numpy as np
import pytest
from helpers.engines import random_rows, small_engine

TABLES = {"input_bigrams": 64, "table_width": 8}
CASES = [
    ("transformer", "cpu", {}),
    ("transformer", "cpu", {"model": TABLES}),
    ("transformer", "cpu", {"optimizer": "adamw", "grad_clip": 1.0}),
    ("lstm", "cpu", {"model": TABLES}),
    ("d3pm", "cpu", {}),
    ("transformer", "mlx", {"model": TABLES}),
    ("d3pm", "mlx", {}),
]


if importlib.util.find_spec("bitsandbytes"):
    CASES.append(("transformer", "cpu", {"model": TABLES, "optimizer": "adamw8bit"}))


@pytest.mark.parametrize(("arch", "device", "options"), CASES)
def test_training_goes_on_as_if_it_had_not_stopped(arch, device, options):
    first, second = (small_engine(arch, device, **options) for _ in range(2))
    for number in range(4):
        first.step(random_rows(number), 0.7)
    first.train_loss()
    state, generators = first.state(), first.random_state()
    for number in range(4, 8):
        first.step(random_rows(number), 0.5)
    draws = random.random(), np.random.random()
    second.step(random_rows(9), 1.0)  # as a warm-up does
    second.restore(state, generators)
    for number in range(4, 8):
        second.step(random_rows(number), 0.5)
    assert (random.random(), np.random.random()) == draws
    np.testing.assert_array_equal(first.train_loss(), second.train_loss())
    weights = second.weights()
    for name, expected in first.weights().items():
        np.testing.assert_array_equal(weights[name], expected, err_msg=name)


def test_a_state_is_a_copy():
    engine = small_engine()
    engine.step(random_rows(), 1.0)
    state = engine.state()
    before = {name: array.copy() for name, array in state.arrays.items()}
    engine.step(random_rows(1), 1.0)
    assert all(np.array_equal(before[name], array) for name, array in state.arrays.items())
    assert any(name.startswith("optimizer/") for name in before)


def test_a_smaller_micro_batch_is_kept():
    first, second = small_engine(), small_engine()
    assert first.halve_micro_batch() == 2
    first.step(random_rows(), 1.0)
    second.restore(first.state(), first.random_state())
    assert second.metadata()["micro_batch_rows"] == 2


def test_counted_models_have_none():
    engine = small_engine("ngram", "numpy")
    engine.step(random_rows(), 1.0)
    assert engine.state() is None
