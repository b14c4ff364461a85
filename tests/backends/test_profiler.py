"""Where a step's time goes in PyTorch: every part is charged for what it does, and nothing else."""

import time
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from speedrun.backends import registry  # noqa: E402
from speedrun.backends.torch import losses, profiler  # noqa: E402
from speedrun.config import Recipe  # noqa: E402
from speedrun.models import loader  # noqa: E402
from speedrun.protocols import EngineSpec  # noqa: E402

PAUSE_S = 0.1
NUM_STEPS = 2


class Slow(torch.autograd.Function):
    """Does nothing, and takes its time in both directions."""

    @staticmethod
    def forward(ctx: Any, x):
        time.sleep(PAUSE_S)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads):
        time.sleep(PAUSE_S)
        return grads[0]


def engine_of(name: str = "transformer", **recipe) -> Any:
    architecture = loader.architecture(name)
    config = architecture.for_params(20_000, 32, context=16)
    chosen = Recipe(**{"compile": False, "precision": "fp32", "batch_rows": 4, **recipe})
    cpu = registry.device("cpu")
    return registry.engine(
        EngineSpec(architecture=architecture, config=config, recipe=chosen, device=cpu)
    )


def batches():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 32, (4, 17), dtype=np.int32) for _ in range(NUM_STEPS)]


def slowed(monkeypatch, owner: Any, method: str) -> None:
    real = getattr(owner, method)
    monkeypatch.setattr(owner, method, lambda *args, **kwargs: Slow.apply(real(*args, **kwargs)))


def only(profile, part: str, pauses: float) -> None:
    """The part has these pauses, and no other part has one of them."""
    assert profile.parts_s[part] >= pauses * PAUSE_S
    others = {p: s for p, s in profile.parts_s.items() if p != part}
    assert max(others.values()) < PAUSE_S, others


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transformer", {"embedding", "attention", "MLP"}),
        ("lstm", {"embedding", "layers"}),
        ("d3pm", {"embedding", "attention", "MLP", "time"}),
    ],
)
def test_a_models_parts_are_found_by_class_and_name(name, expected):
    model = engine_of(name)._model
    modules = profiler.parts_of(model)
    assert set(modules.values()) == expected
    for module in modules:
        assert not (set(module.modules()) - {module}) & modules.keys(), "one inside another"


@pytest.mark.parametrize("part", ["attention", "mlp"])
def test_a_module_is_charged_for_both_passes(part, monkeypatch):
    engine = engine_of()
    blocks = engine._model.blocks
    for block in blocks:
        slowed(monkeypatch, getattr(block, part), "forward")
    only(engine.profile(batches()), "MLP" if part == "mlp" else part, 2 * len(blocks))


def test_the_embedding_is_charged_for_both_passes(monkeypatch):
    engine = engine_of()
    slowed(monkeypatch, engine._model.embed, "forward")
    only(engine.profile(batches()), "embedding", 2)


def test_what_lies_between_modules_is_the_rest_of_the_model(monkeypatch):
    engine = engine_of()
    for block in engine._model.blocks:
        slowed(monkeypatch, block.mlp_norm, "forward")
    only(engine.profile(batches()), profiler.MODEL, 2 * len(engine._model.blocks))


def test_the_output_layer_is_charged_for_both_passes(monkeypatch):
    slowed(monkeypatch, losses, "mean_nats")
    only(engine_of().profile(batches()), profiler.OUTPUT, 2)


def test_the_optimizer_is_charged_for_its_update(monkeypatch):
    engine = engine_of(grad_clip=1.0)
    real = engine._optimizers[0].step
    monkeypatch.setattr(
        engine._optimizers[0], "step", lambda *a, **k: (time.sleep(PAUSE_S), real(*a, **k))
    )
    only(engine.profile(batches()), profiler.OPTIMIZER, 1)


def test_making_noise_is_data(monkeypatch):
    engine = engine_of("d3pm")
    real = engine._objective.batch
    monkeypatch.setattr(
        engine._objective, "batch", lambda *args: (time.sleep(PAUSE_S), real(*args))[1]
    )
    only(engine.profile(batches()), profiler.DATA, 1)


def test_small_pieces_are_charged_alike(monkeypatch):
    engine = engine_of(micro_batch_rows=2)
    for block in engine._model.blocks:
        slowed(monkeypatch, block.mlp, "forward")
    only(engine.profile(batches()), "MLP", 2 * 2 * len(engine._model.blocks))


def test_a_compiled_model_is_divided_as_its_modules_are(monkeypatch):
    """With a compiler that changes nothing, what is inside must come out as without one."""
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda *args, **kwargs: f(*args, **kwargs))
    engine = engine_of(compile=True)
    for block in engine._model.blocks:
        slowed(monkeypatch, block.mlp, "forward")
    engine.step(batches()[0], 1.0)
    assert engine.metadata()["compiled"]
    profile = engine.profile(batches())
    only(profile, "MLP", 0.95 * 2 * len(engine._model.blocks))
    assert profile.note and "compiled one by one" in profile.note
    assert profile.parts_s[profiler.OPTIMIZER] > 0


def test_a_compiled_models_parts_add_up_to_it_however_slow_they_are_apart(monkeypatch):
    def compiler(f, **_):
        return f if f.__name__ == "features" else lambda *args: Slow.apply(f(*args))

    monkeypatch.setattr(torch, "compile", compiler)
    engine = engine_of(compile=True)
    engine.step(batches()[0], 1.0)
    profile = engine.profile(batches())
    assert profile.step_s < PAUSE_S, "the model as a whole has no pause"
    assert profile.parts_s["MLP"] > profile.parts_s[profiler.MODEL], "which its modules had"


def test_a_profile_leaves_nothing_behind(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda *args, **kwargs: f(*args, **kwargs))
    engine = engine_of(compile=True)
    engine.step(batches()[0], 1.0)
    run = engine._run
    engine.profile(batches())
    assert engine._run is run
    for module in engine._model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)
