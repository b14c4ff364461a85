"""MLX alone: lazy evaluation, tracing, memory limits, loss scaling, the optimizers."""

from typing import Any

import numpy as np
import pytest
from helpers.engines import assert_same_weights, random_rows, small_engine

mx = pytest.importorskip("mlx.core")

import mlx.optimizers as stock  # noqa: E402

from speedrun.backends import registry  # noqa: E402
from speedrun.backends.mlx import backend, devices, lm_head, optimizers  # noqa: E402
from speedrun.backends.mlx.compile import CheckedCompile  # noqa: E402
from speedrun.config import Recipe  # noqa: E402
from speedrun.protocols import OutOfMemory  # noqa: E402

pytestmark = pytest.mark.mlx


def engine_of(arch: str = "transformer", **options) -> Any:
    return small_engine(arch, "mlx", **options)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["transformer", "d3pm"])
def test_scoring_in_chunks_is_scoring_at_once(monkeypatch, arch):
    engine = engine_of(arch)
    whole = engine.nll(random_rows(), 0)
    monkeypatch.setattr(lm_head, "CHUNK_TOKENS", 7)
    np.testing.assert_allclose(engine.nll(random_rows(), 0), whole, rtol=1e-5, atol=1e-6)


def test_batched_muon_follows_stock_muon():
    rng = np.random.default_rng(0)
    shapes = {"a": (24, 24), "b": (24, 24), "tall": (48, 24), "wide": (24, 48)}
    start, *grads = (
        {n: mx.array(rng.normal(size=s).astype(np.float32)) for n, s in shapes.items()}
        for _ in range(4)
    )
    settings: dict[str, Any] = {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 0.0}
    ends = []
    for muon in (stock.Muon(**settings), optimizers.BatchedMuon(**settings, dtype=mx.float32)):
        params = start
        for step in grads:
            params = muon.apply_gradients(step, params)
        ends.append(params)
    for name in shapes:
        np.testing.assert_allclose(ends[1][name], ends[0][name], atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_weight_decay_spares_vectors_and_is_decoupled(optimizer):
    """At zero gradients it is all that moves a weight."""
    names = {"embed.weight": "embedding", "w": "matrix", "bias": "vector"}
    recipe = Recipe(optimizer=optimizer, lr=0.1, lr_matrix=0.1, weight_decay=0.5)
    grouped = optimizers.Grouped(names, tuple(names.items()), recipe, mx.float32)
    params = {name: mx.ones((4, 4)) for name in names}
    zeros = {name: mx.zeros((4, 4)) for name in names}
    after, _ = grouped.apply(params, grouped.start(params), zeros, mx.array(0.5))
    means = {name: float(value.mean()) for name, value in after.items()}
    assert means == pytest.approx({"embed.weight": 0.975, "w": 0.975, "bias": 1.0})


def test_memory_that_ends_in_the_evaluation_leaves_the_weights(monkeypatch):
    """MLX is lazy: a step may fail long after it was asked for."""
    engine = engine_of()
    before = engine.weights()

    def no_room(*trees):
        raise RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory")

    with monkeypatch.context() as patch:
        patch.setattr(mx, "eval", no_room)
        with pytest.raises(OutOfMemory, match="Insufficient"):
            engine.step(random_rows(), 1.0)
    assert_same_weights(engine.weights(), before)


def test_the_processor_does_not_compile_and_says_so():
    if mx.is_available(mx.gpu):
        pytest.skip("there is a GPU")
    facts = engine_of(compile=True).metadata()
    assert facts["compiled"] is False and "processor" in facts["compile_skipped"]


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["transformer", "d3pm"])
def test_a_compiled_run_is_the_eager_one_and_is_traced_once(arch, monkeypatch):
    """Also after a reset, at other learning rates and with other numbers of noisy tokens."""
    monkeypatch.setattr(devices, "compiling", lambda: {"compiled": True})  # as on a GPU
    monkeypatch.setattr(CheckedCompile, "_seconds", lambda *args: 1.0)  # which traces plain code
    small = {"depth": 1, "value_tables": 0}
    engine, eager = (engine_of(arch, model=small, compile=value) for value in (True, False))
    traced, real = [], engine.losses.loss_sum
    engine.losses.loss_sum = lambda *args: traced.append(1) or real(*args)
    engine.step(random_rows(), 1.0)
    engine.reset()
    for step in range(3):
        for one in (engine, eager):
            one.step(random_rows(step), 1.0 - step / 4)
        assert engine.train_loss() == pytest.approx(eager.train_loss(), rel=1e-5)
    assert engine.metadata()["compiled"] is True
    assert len(traced) == 2, "once to prove it against, once to compile"


def test_fp16_leaves_out_a_step_that_overflows_and_halves_the_scale():
    engine = engine_of(precision="fp16")
    before = engine.weights()
    engine._scaling["scale"] = mx.array(1e30)
    engine.step(random_rows(), 1.0)
    assert float(engine._scaling["scale"]) == pytest.approx(5e29)
    assert_same_weights(engine.weights(), before)
    engine.reset()
    engine._scaling["num_good"] = mx.array(1999)
    engine.step(random_rows(), 1.0)
    assert float(engine._scaling["scale"]) == 131072.0


def test_limits_are_facts_and_the_peak_counts_the_cache(monkeypatch):
    engine = engine_of()
    engine.step(random_rows(), 1.0)
    engine.sync()
    assert engine.metadata()["memory_limit_bytes"] > engine.metadata()["cache_limit_bytes"] > 0
    monkeypatch.setattr(mx, "get_cache_memory", lambda: 10**12)
    assert engine.peak_bytes() > 10**12


def test_without_the_package_the_row_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    (row,) = backend.MlxBackend().devices()
    assert not row.available and "pip install" in row.detail
    with pytest.raises(ValueError, match=r"--device mlx is not here: MLX is not installed: pip"):
        registry.device("mlx")
