"""What is MLX's own: precision, compilation, memory, the optimizers, the output head."""

from typing import Any

import numpy as np
import pytest
from helpers.engines import random_rows, small_engine

mx = pytest.importorskip("mlx.core")

import mlx.optimizers as stock  # noqa: E402

from speedrun.backends import registry  # noqa: E402
from speedrun.backends.contract import LMHead  # noqa: E402
from speedrun.backends.mlx import backend, devices, lm_head, optimizers  # noqa: E402
from speedrun.config import Recipe  # noqa: E402
from speedrun.protocols import OutOfMemory  # noqa: E402

V, D, N = 40, 12, 50
pytestmark = pytest.mark.mlx


def engine_of(arch: str = "transformer", **options) -> Any:
    return small_engine(arch, "mlx", **options)


@pytest.fixture(params=[0, 10], ids=["one-level", "two-levels"])
def head(request):
    rng = np.random.default_rng(0)
    weight, tail = (mx.array(rng.normal(size=s).astype(np.float32)) for s in ((V, D), (1, D)))
    return LMHead(weight, tail if request.param else None, request.param)


@pytest.fixture
def features():
    return mx.array(np.random.default_rng(1).normal(size=(N, D)).astype(np.float32))


def test_two_levels_are_normalised(head, features):
    logits = lm_head.logits(features, head)
    assert logits.shape == (N, V)
    if head.head_size:  # and are log-probabilities up to one constant a token
        first = features @ mx.concatenate([head.weight_VD[: head.head_size], head.tail_1D]).T
        np.testing.assert_allclose(mx.logsumexp(logits, -1), mx.logsumexp(first, -1), rtol=1e-5)


def test_token_nll_are_those_of_the_logits(head, features):
    targets = mx.array(np.random.default_rng(2).integers(0, V, N))
    log_probs = lm_head.log_softmax(lm_head.logits(features, head))
    plain = -mx.take_along_axis(log_probs, targets[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(lm_head.token_nll(features, head, targets), plain, atol=1e-5)


@pytest.mark.slow
def test_scoring_in_chunks_is_scoring_at_once(monkeypatch):
    for arch in ("transformer", "d3pm"):
        engine = engine_of(arch)
        whole = engine.nll(random_rows(), 0)
        monkeypatch.setattr(lm_head, "CHUNK_TOKENS", 7)
        np.testing.assert_allclose(engine.nll(random_rows(), 0), whole, rtol=1e-5, atol=1e-6)
        monkeypatch.undo()


def test_batched_muon_follows_stock_muon():
    rng = np.random.default_rng(0)
    shapes = {"a": (24, 24), "b": (24, 24), "tall": (48, 24), "wide": (24, 48)}
    start = {n: mx.array(rng.normal(size=s).astype(np.float32)) for n, s in shapes.items()}
    grads = [
        {n: mx.array(rng.normal(size=s).astype(np.float32)) for n, s in shapes.items()}
        for _ in range(3)
    ]
    ends = []
    for muon in (
        stock.Muon(learning_rate=0.02, momentum=0.9, weight_decay=0.0),
        optimizers.BatchedMuon(
            learning_rate=0.02, momentum=0.9, weight_decay=0.0, dtype=mx.float32
        ),
    ):
        params = start
        for step in grads:
            params = muon.apply_gradients(step, params)
        ends.append(params)
    for name in shapes:
        np.testing.assert_allclose(ends[1][name], ends[0][name], atol=1e-5)


def test_weight_decay_spares_vectors_and_is_decoupled():
    """At zero gradients it is all that moves a weight."""
    names = {"embed.weight": "embedding", "w": "matrix", "bias": "vector"}
    for optimizer in ("adamw", "muon"):
        recipe = Recipe(optimizer=optimizer, lr=0.1, lr_matrix=0.1, weight_decay=0.5)
        grouped = optimizers.Grouped(names, tuple(names.items()), recipe, mx.float32)
        params = {name: mx.ones((4, 4)) for name in names}
        zeros = {name: mx.zeros((4, 4)) for name in names}
        after, _ = grouped.apply(params, grouped.start(params), zeros, mx.array(0.5))
        means = {name: float(value.mean()) for name, value in after.items()}
        assert means == pytest.approx({"embed.weight": 0.975, "w": 0.975, "bias": 1.0})


def test_out_of_memory_leaves_the_weights_and_can_be_tried_again(monkeypatch):
    engine, rows = engine_of(), random_rows()
    before = engine.weights()
    real = engine.gradients

    def no_room(params, num_terms, scale, inputs, targets):
        if len(inputs) > 2:
            raise RuntimeError("[malloc] Unable to allocate 137438953472 bytes.")
        return real(params, num_terms, scale, inputs, targets)

    monkeypatch.setattr(engine, "gradients", no_room)
    with pytest.raises(OutOfMemory, match="Unable to allocate"):
        engine.step(rows, 1.0)
    for name, value in engine.weights().items():
        np.testing.assert_array_equal(value, before[name])
    assert engine.halve_micro_batch() == 2
    engine.step(rows, 1.0)
    assert np.isfinite(engine.train_loss())


def test_memory_that_ends_in_the_evaluation_leaves_the_weights(monkeypatch):
    """MLX is lazy: a step may fail long after it was asked for."""
    engine = engine_of()
    before, real = engine.weights(), mx.eval

    def no_room(*trees):
        raise RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory")

    monkeypatch.setattr(mx, "eval", no_room)
    with pytest.raises(OutOfMemory, match="Insufficient"):
        engine.step(random_rows(), 1.0)
    monkeypatch.setattr(mx, "eval", real)
    for name, value in engine.weights().items():
        np.testing.assert_array_equal(value, before[name])


def test_other_errors_are_not_taken_for_memory(monkeypatch):
    engine = engine_of()
    monkeypatch.setattr(engine, "gradients", lambda *args: mx.zeros(3).reshape(2))
    with pytest.raises(ValueError, match="reshape"):
        engine.step(random_rows(), 1.0)


@pytest.fixture
def compiling(monkeypatch):
    """As on a GPU; here the fused kernels go through a C++ compiler."""
    monkeypatch.setattr(devices, "compiling", lambda: {"compiled": True})


def test_the_processor_does_not_compile_and_says_so():
    if mx.is_available(mx.gpu):
        pytest.skip("there is a GPU")
    facts = engine_of(compile=True).metadata()
    assert facts["compiled"] is False and "processor" in facts["compile_skipped"]


def test_compiling_that_fails_falls_back_with_its_reason(monkeypatch, compiling):
    def broken(*inputs):
        raise RuntimeError("[Compile::eval_cpu] no g++ found\nlong story")

    monkeypatch.setattr(mx, "compile", lambda f: broken)
    engine = engine_of(compile=True)
    engine.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is False
    assert engine.metadata()["compile_error"] == "[Compile::eval_cpu] no g++ found"


def test_compiling_that_is_wrong_falls_back_with_the_number(monkeypatch, compiling):
    def wrong(function):
        return lambda *inputs: optimizers.tree_map(lambda x: 1.1 * x, function(*inputs))

    monkeypatch.setattr(mx, "compile", wrong)
    engine, eager = engine_of(compile=True), engine_of()
    for one in (engine, eager):
        one.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is False
    assert "off by 0.1" in engine.metadata()["compile_error"]
    assert engine.train_loss() == eager.train_loss()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["transformer", "d3pm"])
def test_a_compiled_run_is_the_eager_one_and_is_traced_once(arch, compiling):
    """Also after a reset, at other learning rates and with other numbers of noisy tokens."""
    small = {"depth": 1, "value_tables": 0}
    engine = engine_of(arch, model=small, compile=True)
    eager = engine_of(arch, model=small)
    traced = []
    real = engine.losses.loss_sum
    engine.losses.loss_sum = lambda *args: traced.append(1) or real(*args)
    engine.step(random_rows(), 1.0)
    engine.reset()
    for step in range(3):
        for one in (engine, eager):
            one.step(random_rows(step), 1.0 - step / 4)
        assert engine.train_loss() == pytest.approx(eager.train_loss(), rel=1e-5)
    assert engine.metadata()["compiled"] is True
    assert len(traced) == 2, "once to prove it against, once to compile"


def test_a_precision_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="allowed are auto, fp32, bf16, fp16"):
        engine_of(precision="fp64")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "precision"), [("transformer", "bf16"), ("transformer", "fp16"), ("d3pm", "bf16")]
)
def test_half_precision_stays_near_fp32(arch, precision):
    losses = []
    for one in ("fp32", precision):
        engine = engine_of(arch, precision=one, optimizer="adamw")  # Muon rounds on its own
        for _ in range(5):
            engine.step(random_rows(), 1.0)
        losses.append(engine.train_loss())
        assert all(value.dtype == np.float32 for value in engine.weights().values())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0], "it must be another precision"


def test_half_precision_scores_in_fp32():
    full, half = engine_of(), engine_of(precision="bf16")
    np.testing.assert_array_equal(half.nll(random_rows(), 0), full.nll(random_rows(), 0))


def test_fp16_leaves_out_a_step_that_overflows_and_halves_the_scale():
    engine = engine_of(precision="fp16")
    before = engine.weights()
    engine._scaling["scale"] = mx.array(1e30)
    engine.step(random_rows(), 1.0)
    assert float(engine._scaling["scale"]) == pytest.approx(5e29)
    for name, value in engine.weights().items():
        np.testing.assert_array_equal(value, before[name])
    engine.reset()
    engine._scaling["num_good"] = mx.array(1999)
    engine.step(random_rows(), 1.0)
    assert float(engine._scaling["scale"]) == 131072.0


def test_gradient_clipping_bounds_the_step():
    ends = []
    for clip in (0.0, 1e-6):
        engine = engine_of(optimizer="adamw", grad_clip=clip, eps=1.0)
        before = engine.weights()
        engine.step(random_rows(), 1.0)
        after = engine.weights()
        ends.append(max(np.abs(after[n] - before[n]).max() for n in before))
    assert ends[1] < 1e-3 * ends[0]


def test_limits_are_facts_and_the_peak_counts_the_cache(monkeypatch):
    engine = engine_of()
    engine.step(random_rows(), 1.0)
    engine.sync()
    assert engine.metadata()["memory_limit_bytes"] > engine.metadata()["cache_limit_bytes"] > 0
    monkeypatch.setattr(mx, "get_cache_memory", lambda: 10**12)
    assert engine.peak_bytes() > 10**12


def test_matmul_rate_is_measured_and_missing_precisions_are_none():
    assert (devices.matmul_gflops("fp32") or 0) > 0.01
    assert devices.matmul_gflops("fp8") is None


def test_without_the_package_the_row_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    (row,) = backend.MlxBackend().devices()
    assert not row.available and "pip install" in row.detail
    with pytest.raises(ValueError, match=r"--device mlx is not here: MLX is not installed: pip"):
        registry.device("mlx")
