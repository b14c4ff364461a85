"""Where a step's time goes in PyTorch: every part is charged for what it does, and nothing else."""

import time
from typing import Any

import pytest
from helpers.engines import random_rows, small_engine

torch = pytest.importorskip("torch")

from speedrun.backends import timeline  # noqa: E402
from speedrun.backends.torch import losses, profiler  # noqa: E402

PAUSE_S = 0.1
pytestmark = pytest.mark.slow  # it sleeps, so that what it times is beyond doubt
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


def batches():
    return [random_rows(seed) for seed in range(NUM_STEPS)]


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
    model = small_engine(name).model
    modules = profiler.parts_of(model)
    assert set(modules.values()) == expected
    for module in modules:
        assert not (set(module.modules()) - {module}) & modules.keys(), "one inside another"


@pytest.mark.parametrize("part", ["attention", "mlp"])
def test_a_module_is_charged_for_both_passes(part, monkeypatch):
    engine = small_engine()
    blocks = engine.model.blocks
    for block in blocks:
        slowed(monkeypatch, getattr(block, part), "forward")
    only(engine.profile(batches()), "MLP" if part == "mlp" else part, 2 * len(blocks))


def test_the_embedding_is_charged_for_both_passes(monkeypatch):
    engine = small_engine()
    slowed(monkeypatch, engine.model.embed, "forward")
    only(engine.profile(batches()), "embedding", 2)


def test_what_lies_between_modules_is_the_rest_of_the_model(monkeypatch):
    engine = small_engine()
    for block in engine.model.blocks:
        slowed(monkeypatch, block.mlp_norm, "forward")
    only(engine.profile(batches()), timeline.MODEL, 2 * len(engine.model.blocks))


def test_the_output_layer_is_charged_for_both_passes(monkeypatch):
    slowed(monkeypatch, losses, "mean_nll")
    only(small_engine().profile(batches()), timeline.OUTPUT, 2)


def test_the_optimizer_is_charged_for_its_update(monkeypatch):
    engine = small_engine(grad_clip=1.0)
    real = engine._optimizers[0].step
    monkeypatch.setattr(
        engine._optimizers[0], "step", lambda *a, **k: (time.sleep(PAUSE_S), real(*a, **k))
    )
    only(engine.profile(batches()), timeline.OPTIMIZER, 1)


def test_making_noise_is_data(monkeypatch):
    engine = small_engine("d3pm")
    real = engine.losses.batch
    monkeypatch.setattr(engine.losses, "batch", lambda *args: (time.sleep(PAUSE_S), real(*args))[1])
    only(engine.profile(batches()), timeline.DATA, 1)


def test_small_pieces_are_charged_alike(monkeypatch):
    engine = small_engine(micro_batch_rows=2)
    for block in engine.model.blocks:
        slowed(monkeypatch, block.mlp, "forward")
    only(engine.profile(batches()), "MLP", 2 * 2 * len(engine.model.blocks))


def test_a_compiled_model_is_divided_as_its_modules_are(monkeypatch):
    """With a compiler that changes nothing, what is inside must come out as without one."""
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda *args, **kwargs: f(*args, **kwargs))
    engine = small_engine(compile=True)
    for block in engine.model.blocks:
        slowed(monkeypatch, block.mlp, "forward")
    engine.step(batches()[0], 1.0)
    assert engine.metadata()["compiled"]
    profile = engine.profile(batches())
    only(profile, "MLP", 0.95 * 2 * len(engine.model.blocks))
    assert profile.note and "compiled one by one" in profile.note
    assert profile.parts_s[timeline.OPTIMIZER] > 0


def test_a_compiled_models_parts_add_up_to_it_however_slow_they_are_apart(monkeypatch):
    def compiler(f, **_):
        return f if f.__name__ == "features" else lambda *args: Slow.apply(f(*args))

    monkeypatch.setattr(torch, "compile", compiler)
    engine = small_engine(compile=True)
    engine.step(batches()[0], 1.0)
    profile = engine.profile(batches())
    assert profile.step_s < PAUSE_S, "the model as a whole has no pause"
    assert profile.parts_s["MLP"] > profile.parts_s[timeline.MODEL], "which its modules had"


def test_a_profile_leaves_nothing_behind(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda *args, **kwargs: f(*args, **kwargs))
    engine = small_engine(compile=True)
    engine.step(batches()[0], 1.0)
    run = engine.forward
    engine.profile(batches())
    assert engine.forward is run
    for module in engine.model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)
