"""The NumPy backend: its device, its engine, and what fails when memory does."""

from typing import Any

import numpy as np
import pytest
from helpers.engines import small_engine

from speedrun.backends import registry
from speedrun.protocols import OutOfMemory


def engine(**recipe) -> Any:
    return small_engine("ngram", "numpy", **recipe)


ROWS = np.random.default_rng(0).integers(0, 32, (4, 17), dtype=np.int32)


def test_the_device_is_there_and_nothing_else_prefers_it():
    rows = registry.devices()
    numpy = next(row for row in rows if row.name == "numpy")
    assert numpy.available
    assert numpy.priority < min(row.priority for row in rows if row.available and row is not numpy)
    backend = registry.backend("numpy")
    rate = backend.matmul_gflops(numpy, "fp32")
    assert rate is not None and rate > 0.1
    assert backend.matmul_gflops(numpy, "bf16") is None
    assert backend.versions() == {"numpy": np.__version__}


def test_a_step_that_ran_out_of_memory_counts_every_row_once(monkeypatch):
    whole, failing = engine(), engine(micro_batch_rows=2)
    whole.step(ROWS, 1.0)
    count, calls = failing._model.count, []

    def once_without_room(rows):
        calls.append(len(rows))
        if len(calls) == 2:
            raise MemoryError("full")
        count(rows)

    monkeypatch.setattr(failing._model, "count", once_without_room)
    with pytest.raises(OutOfMemory, match="full"):
        failing.step(ROWS, 1.0)
    assert failing.halve_micro_batch() == 1
    failing.step(ROWS, 1.0)
    assert calls == [2, 2, 1, 1]
    for name, value in whole.weights().items():
        np.testing.assert_array_equal(failing.weights()[name], value, err_msg=name)
    with pytest.raises(OutOfMemory, match="smaller --params"):
        failing.halve_micro_batch()


def test_what_is_left_to_do_grows_with_what_was_counted():
    counting = engine()
    assert counting.finalize_s() == 0
    counting.step(ROWS, 1.0)
    assert counting.finalize_s() > 0


def test_the_loss_is_of_rows_before_they_are_counted():
    counting = engine()
    counting.step(ROWS, 1.0)
    assert counting.train_loss() == pytest.approx(np.log(32))


def test_exact_models_leave_the_choice_of_tokens_to_others():
    counting = engine()
    counting.step(ROWS, 1.0)
    given = counting.nll(ROWS, 0, prefix_length=3, timesteps=np.ones(2))
    np.testing.assert_array_equal(given, counting.nll(ROWS, 1))
