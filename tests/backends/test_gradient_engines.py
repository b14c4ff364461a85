"""Engines that train by gradients, on every framework: memory, compilers, precision."""

import time
from typing import Any

import numpy as np
import pytest
from helpers.engines import assert_same_weights, losses_of, random_rows, small_engine

from speedrun.backends import registry
from speedrun.device import Device
from speedrun.protocols import OutOfMemory

NO_ROOM = {
    "cpu": "DefaultCPUAllocator: can't allocate memory: you tried too much",
    "mlx": "[malloc] Unable to allocate 137438953472 bytes.",
}
PASS = {"cpu": "forward", "mlx": "gradients"}  # the attribute that runs a piece's rows


@pytest.fixture(params=["cpu", pytest.param("mlx", marks=pytest.mark.mlx)])
def device(request) -> str:
    pytest.importorskip("mlx.core" if request.param == "mlx" else "torch")
    return request.param


@pytest.fixture
def framework(device, monkeypatch) -> Any:
    """The module whose `compile` an engine calls; MLX as on a GPU, where compiling pays."""
    if device == "cpu":
        return pytest.importorskip("torch")
    from speedrun.backends.mlx import devices

    monkeypatch.setattr(devices, "compiling", lambda: {"compiled": True})
    return pytest.importorskip("mlx.core")


def test_out_of_memory_leaves_the_weights_and_can_be_tried_again(device, monkeypatch):
    engine = small_engine(device=device)
    before, real = engine.weights(), getattr(engine, PASS[device])

    def no_room(*args):
        if len(args[0 if device == "cpu" else 3]) > 2:
            raise RuntimeError(NO_ROOM[device])
        return real(*args)

    monkeypatch.setattr(engine, PASS[device], no_room)
    with pytest.raises(OutOfMemory, match="allocate"):
        engine.step(random_rows(), 1.0)
    assert_same_weights(engine.weights(), before)
    assert engine.halve_micro_batch() == 2
    assert np.isfinite(losses_of(engine, 1))


def test_other_errors_are_not_taken_for_memory(device, monkeypatch):
    def broken(*args):
        raise RuntimeError("shapes differ in size")

    engine = small_engine(device=device)
    monkeypatch.setattr(engine, PASS[device], broken)
    with pytest.raises(RuntimeError, match="differ in size"):
        engine.step(random_rows(), 1.0)


def test_compiling_that_fails_falls_back_with_its_reason(framework, device, monkeypatch):
    def broken(*inputs):
        raise RuntimeError("InvalidCxxCompiler: no g++ found\nlong story")

    monkeypatch.setattr(framework, "compile", lambda function, **_: broken)
    engine = small_engine(device=device, compile=True)
    engine.step(random_rows(), 1.0)
    facts = engine.metadata()
    assert facts["compiled"] is False
    assert facts["compile_error"] == "the compiler fails: no g++ found"


def test_compiling_that_fails_at_another_shape_falls_back(device, framework, monkeypatch):
    """After out-of-memory, say, pieces are smaller: the disk may be full by then."""

    def compile(function, **_):
        def compiled(*inputs):
            if len(inputs[0 if device == "cpu" else 3]) < 4:
                raise RuntimeError("no space left on device")
            return function(*inputs)

        return compiled if device == "cpu" or function.__name__ != "_updated" else function

    monkeypatch.setattr(framework, "compile", compile)
    engine = small_engine(device=device, compile=True)
    engine.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is True
    assert engine.halve_micro_batch() == 2
    assert np.isfinite(losses_of(engine, 1))
    facts = engine.metadata()
    assert facts["compiled"] is False
    assert facts["compile_error"] == "the compiler fails: no space left on device"


def test_compiling_that_is_slower_falls_back_with_the_factor(framework, device, monkeypatch):
    def compile(function, **_):
        def compiled(*inputs):
            time.sleep(0.2)
            return function(*inputs)

        return compiled

    monkeypatch.setattr(framework, "compile", compile)
    engine = small_engine(device=device, compile=True)
    engine.step(random_rows(), 1.0)
    assert engine.metadata()["compiled"] is False
    assert "times as slow as plain code" in engine.metadata()["compile_error"]


def test_compiling_that_is_wrong_falls_back_with_the_number(framework, device, monkeypatch):
    def larger(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: larger(one) for key, one in value.items()}
        return tuple(map(larger, value)) if isinstance(value, tuple | list) else 1.1 * value

    monkeypatch.setattr(framework, "compile", lambda f, **_: lambda *inputs: larger(f(*inputs)))
    wrong, eager = small_engine(device=device, compile=True), small_engine(device=device)
    assert losses_of(wrong, 1) == losses_of(eager, 1), "the proof must leave no gradient behind"
    assert wrong.metadata()["compiled"] is False
    assert "off by 0." in wrong.metadata()["compile_error"]


@pytest.mark.parametrize(
    ("arch", "precision"), [("transformer", "bf16"), ("transformer", "fp16"), ("d3pm", "bf16")]
)
def test_half_precision_trains_near_fp32_and_scores_in_it(device, arch, precision):
    if (device, precision) == ("cpu", "fp16"):
        with pytest.raises(ValueError, match="allowed are auto, fp32, bf16"):
            small_engine(precision="fp16")
        return
    # Muon rounds on its own.
    full, half = (
        small_engine(arch, device, precision=one, optimizer="adamw") for one in ("fp32", precision)
    )
    np.testing.assert_array_equal(half.nll(random_rows(), 0), full.nll(random_rows(), 0))
    losses = losses_of(full, 5)[-1], losses_of(half, 5)[-1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0], "it must be another precision"
    assert all(value.dtype == np.float32 for value in half.weights().values())


def test_gradient_clipping_bounds_the_step(device):
    ends = []
    for clip in (0.0, 1e-6):
        engine = small_engine(device=device, optimizer="adamw", grad_clip=clip, eps=1.0)
        before = engine.weights()
        engine.step(random_rows(), 1.0)
        after = engine.weights()
        ends.append(max(np.abs(after[n] - before[n]).max() for n in before))
    assert ends[1] < 1e-3 * ends[0]


def test_matmul_rate_is_measured_and_missing_precisions_are_none(device):
    row: Device = registry.device(device)
    backend = registry.backend(row.backend)
    assert (backend.matmul_gflops(row, "fp32") or 0) > 0.01
    assert backend.matmul_gflops(row, "fp8") is None
