"""AdamW with 8-bit moments: installed or not, and against AdamW."""

import io
import sys
from typing import Any

import numpy as np
import pytest
import torch
from helpers.engines import assert_same_weights, losses_of, small_engine

from speedrun.backends import registry
from speedrun.backends.torch import eight_bit
from speedrun.config import Recipe
from speedrun.device import Device
from speedrun.distributed.group import ProcessGroup
from speedrun.models import loader
from speedrun.training import prepare
from speedrun.training.request import RunRequest

EIGHT = Recipe(optimizer="adamw8bit")


def wide_engine(optimizer: str, **recipe: Any) -> Any:
    """With matrices of 4,096 numbers and more, and vectors of fewer."""
    return small_engine(
        model={"width": 64, "heads": 2, "depth": 2}, size=100_000, optimizer=optimizer, **recipe
    )


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setitem(sys.modules, eight_bit.LIBRARY, None)
    eight_bit.expect_works.cache_clear()


def test_a_race_without_the_library_is_refused_before_data_are_opened(absent):
    asked = RunRequest(settings=("recipe.optimizer=adamw8bit",), backend="cpu")
    install = r"not installed here; install it with: pip install -e '\.\[adamw8bit\]'"
    with pytest.raises(ValueError, match=install):
        prepare.look_up(asked, ProcessGroup())


def test_an_engine_without_the_library_is_refused(absent):
    with pytest.raises(ValueError, match="not installed here"):
        wide_engine("adamw8bit")


def test_other_optimizers_do_not_ask_for_it(absent):
    architecture = loader.architecture("transformer")
    device = registry.device("cpu", architecture)
    registry.backend("torch").check(Recipe(), device)
    assert "bitsandbytes" not in registry.backend("torch").versions()


def test_mlx_has_none():
    device = Device(name="mlx", backend="mlx", available=True, detail="")
    with pytest.raises(ValueError, match="MLX has no optimizer with 8-bit moments; leave it out"):
        registry.backend("mlx").check(EIGHT, device)


@pytest.mark.parametrize("is_raising", [True, False])
def test_a_device_on_which_its_step_fails_is_refused(is_raising, monkeypatch):
    class Broken:
        def __init__(self, params: Any, lr: float) -> None:
            pass

        def step(self) -> None:
            if is_raising:
                raise NotImplementedError("no kernel for 'MPS'\nlong story")

    monkeypatch.setattr(eight_bit, "adamw", lambda: Broken)
    eight_bit.expect_works.cache_clear()
    why = "NotImplementedError: no kernel for 'MPS'" if is_raising else "its step is wrong"
    with pytest.raises(ValueError) as refused:
        eight_bit.expect_works("cpu")
    assert str(refused.value) == (
        f"recipe.optimizer=adamw8bit: bitsandbytes does not work on cpu ({why});"
        " take recipe.optimizer=adamw"
    )
    eight_bit.expect_works.cache_clear()


def test_its_update_is_not_tuned():
    architecture = loader.architecture("transformer")
    device = registry.device("cpu", architecture)
    assert not registry.backend("torch").candidates(architecture, EIGHT, device)["fused"]
    assert registry.backend("torch").candidates(architecture, Recipe(), device)["fused"]


class TestInstalled:
    """With the library."""

    @pytest.fixture(autouse=True)
    def library(self):
        eight_bit.expect_works.cache_clear()
        return pytest.importorskip(eight_bit.LIBRARY)

    def test_it_works_and_is_named_in_the_record(self, library):
        eight_bit.expect_works("cpu")
        assert registry.backend("torch").versions()["bitsandbytes"] == library.__version__

    @pytest.mark.parametrize("more", [{}, {"grad_clip": 0.1, "weight_decay": 0.1}])
    def test_it_trains_like_adamw(self, more):
        engines = [wide_engine(name, **more) for name in ("adamw", "adamw8bit")]
        before = engines[0].weights()
        exact, eight = (losses_of(engine, 20) for engine in engines)
        assert exact[-1] < exact[0] - 0.5
        np.testing.assert_allclose(eight, exact, rtol=0.02)
        moved, off = 0.0, 0.0
        for name, value in engines[0].weights().items():
            moved += float(np.square(value - before[name]).sum())
            off += float(np.square(value - engines[1].weights()[name]).sum())
        assert off < 0.1**2 * moved

    def test_its_moments_have_eight_bits(self):
        engine = wide_engine("adamw8bit")
        losses_of(engine, 1)
        (optimizer,) = engine._optimizers
        sizes = {}
        for param, state in optimizer.state.items():
            names = ("state1", "state2", "absmax1", "absmax2")
            held = sum(state[n].nbytes for n in names if n in state)
            sizes[param.numel()] = held / param.numel()
        assert min(sizes) < 4096 <= max(sizes)
        for numel, size in sizes.items():
            assert size == (8 if numel < 4096 else pytest.approx(2 + 2 * 4 / 256, rel=0.05))

    def test_reset_starts_again(self):
        engine = wide_engine("adamw8bit")
        losses_of(engine, 2)
        first = engine.weights()
        engine.reset()
        losses_of(engine, 2)
        assert_same_weights(engine.weights(), first)

    def test_its_state_can_be_saved_and_loaded(self):
        """Through the file format of plain tensors, as a checkpoint is."""
        engine, other = wide_engine("adamw8bit"), wide_engine("adamw8bit")
        losses_of(engine, 2)
        file = io.BytesIO()
        torch.save(engine._optimizers[0].state_dict(), file)
        file.seek(0)
        other._optimizers[0].load_state_dict(torch.load(file, weights_only=True))
        other.load(engine.weights())
        for one in (engine, other):
            losses_of(one, 2, lr_scale=0.5)
        assert_same_weights(other.weights(), engine.weights())

    def test_a_scaled_loss_leaves_out_steps_that_are_not_finite(self):
        param = torch.zeros(4096, requires_grad=True)
        optimizer = eight_bit.adamw()([param], lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        for value, expected in ((float("inf"), 0.0), (1.0, -0.1)):
            scaler.scale((param * value).sum()).backward()
            scaler.step(optimizer)
            optimizer.zero_grad()
            scaler.update()
            assert float(param.detach().mean()) == pytest.approx(expected, abs=1e-3)
