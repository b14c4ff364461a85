"""The NumPy backend: its device, its engine, and what fails when memory does."""

import sys

import numpy as np
import pytest
from helpers.engines import assert_same_weights, random_rows, small_engine

from speedrun.backends import common, registry
from speedrun.backends.numpy import engine as numpy_engine
from speedrun.protocols import OutOfMemory

ROWS = random_rows()


def test_the_device_is_there_and_nothing_else_prefers_it():
    available = [row for row in registry.devices() if row.available]
    assert available[-1].name == "numpy" and available[-1].priority < available[-2].priority
    backend = registry.backend("numpy")
    assert (backend.matmul_gflops(available[-1], "fp32") or 0) > 0.1
    assert backend.matmul_gflops(available[-1], "bf16") is None
    assert backend.versions() == {"numpy": np.__version__}


def test_a_step_that_ran_out_of_memory_counts_every_row_once(monkeypatch):
    whole = small_engine("ngram", "numpy")
    failing = small_engine("ngram", "numpy", micro_batch_rows=2)
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
    assert_same_weights(failing.weights(), whole.weights())
    with pytest.raises(OutOfMemory, match="smaller --params"):
        failing.halve_micro_batch()


def test_a_step_adds_to_what_is_left_to_do_and_its_loss_is_of_uncounted_rows():
    engine = small_engine("ngram", "numpy")
    assert engine.finalize_s() == 0
    engine.step(ROWS, 1.0)
    assert engine.finalize_s() > 0
    assert engine.train_loss() == pytest.approx(np.log(32))
    # Exact models leave the choice of tokens to others.
    given = engine.nll(ROWS, 0, prefix_length=3, timesteps=np.ones(2))
    np.testing.assert_array_equal(given, engine.nll(ROWS, 1))


def test_what_only_scores_does_not_measure_how_long_counts_take_to_finish(monkeypatch):
    engine = small_engine("ngram", "numpy")
    engine.step(ROWS, 1.0)
    engine.finalize()
    monkeypatch.setattr(numpy_engine, "_finalize_s_per_entry", None)
    np.testing.assert_array_equal(engine.rebuilt().nll(ROWS, 0), engine.nll(ROWS, 0))


def test_peak_memory_is_read_without_the_module_that_windows_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert common.peak_resident_bytes() > 1 << 20
