"""The profile of a PyTorch step: every part is charged for what it does, and nothing else."""

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


BLOCKS = 2  # of the small transformer


@pytest.mark.parametrize(
    ("find", "method", "part", "pauses", "recipe"),
    [
        (lambda e: [b.attention for b in e.model.blocks], "forward", "attention", 2 * BLOCKS, {}),
        (lambda e: [b.mlp for b in e.model.blocks], "forward", "MLP", 2 * BLOCKS, {}),
        (lambda e: [e.model.embed], "forward", "embedding", 2, {}),
        (
            lambda e: [b.mlp_norm for b in e.model.blocks],
            *("forward", timeline.MODEL, 2 * BLOCKS, {}),
        ),
        (lambda e: [losses], "mean_nll", timeline.OUTPUT, 2, {}),
        (
            lambda e: [b.mlp for b in e.model.blocks],
            *("forward", "MLP", 2 * 2 * BLOCKS, {"micro_batch_rows": 2}),
        ),
    ],
    ids=["attention", "mlp", "embedding", "between modules", "output", "in small pieces"],
)
def test_each_part_is_charged_for_both_passes(monkeypatch, find, method, part, pauses, recipe):
    engine = small_engine(**recipe)
    for owner in find(engine):
        slowed(monkeypatch, owner, method)
    only(engine.profile(batches()), part, pauses)


@pytest.mark.parametrize(
    ("arch", "find", "method", "part"),
    [
        ("transformer", lambda e: e._optimizers[0], "step", timeline.OPTIMIZER),
        ("d3pm", lambda e: e.losses, "batch", timeline.DATA),  # making noise
    ],
)
def test_what_has_one_pass_is_charged_for_it(monkeypatch, arch, find, method, part):
    engine = small_engine(arch, grad_clip=1.0)
    real = getattr(find(engine), method)
    monkeypatch.setattr(
        find(engine), method, lambda *a, **k: (time.sleep(PAUSE_S), real(*a, **k))[1]
    )
    only(engine.profile(batches()), part, 1)


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


def test_parts_of_workers_are_charged_piece_by_piece_and_add_up_to_a_step(monkeypatch):
    engine = small_engine(workers=2)
    for block in engine.model.blocks:
        slowed(monkeypatch, block.mlp, "forward")
    profile = engine.profile(batches())
    pieces_each = 2  # of the two workers, side by side
    pauses_s = 2 * BLOCKS * pieces_each * PAUSE_S
    assert 0.8 * pauses_s < profile.parts_s["MLP"] < profile.step_s < 1.5 * pauses_s
    assert profile.note and "2 workers share a step" in profile.note


def test_a_compiled_models_parts_add_up_to_it_however_slow_they_are_apart(monkeypatch):
    def compiler(f, **_):
        return f if f.__name__ == "features" else lambda *args: Slow.apply(f(*args))

    monkeypatch.setattr(torch, "compile", compiler)
    engine = small_engine(compile=True)
    engine.step(batches()[0], 1.0)
    profile = engine.profile(batches())
    assert profile.step_s < PAUSE_S, "the model as a whole has no pause"
    assert profile.parts_s["MLP"] > profile.parts_s[timeline.MODEL], "which its modules had"


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_profile_leaves_nothing_behind(monkeypatch, is_compiled):
    monkeypatch.setattr(torch, "compile", lambda f, **_: lambda *args, **kwargs: f(*args, **kwargs))
    engine = small_engine(compile=is_compiled)
    engine.step(batches()[0], 1.0)
    run, own = engine.forward, set(vars(engine)) | set(vars(engine.losses))
    engine.profile(batches())
    assert engine.forward is run and set(vars(engine)) | set(vars(engine.losses)) == own
    for module in engine.model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
        assert "forward" not in vars(module)
