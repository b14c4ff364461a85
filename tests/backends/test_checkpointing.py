"""Activation checkpointing: the same gradients from less memory."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.engines import load_random, losses_of, random_rows, small_engine
from torch import Tensor, nn

from speedrun.backends import registry
from speedrun.backends.torch.checkpointing import checkpoint_blocks
from speedrun.config import Recipe
from speedrun.device import Device

SETTING: dict[str, Any] = {"activation_checkpointing": True}
DEEP: dict[str, Any] = {"model": {"depth": 6}, "size": 100_000}


def trained(**settings: Any) -> dict[str, Any]:
    """Weights after some steps from the same random ones."""
    engine = small_engine(**settings)
    load_random(engine, 0.1)
    losses_of(engine, 3)
    return engine.weights()


def assert_trains_alike(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=2e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["transformer", "lstm", "d3pm"])
def test_it_trains_as_without(arch):
    assert_trains_alike(trained(arch=arch, **SETTING), trained(arch=arch))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_it_trains_as_without_in_pieces(workers):
    pieces = {"micro_batch_rows": 2, "workers": workers}
    assert_trains_alike(trained(**SETTING, **pieces), trained(**pieces))


def saved_bytes(engine: Any) -> int:
    """Bytes that PyTorch keeps between the passes, each memory once."""
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    engine._be_training(True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = engine.losses.loss(engine.losses.batch(random_rows(), engine._noise), engine.forward)
    params = {param.untyped_storage().data_ptr() for param in engine.model.parameters()}
    assert loss.requires_grad
    return sum(storage.nbytes() for address, storage in kept.items() if address not in params)


@pytest.mark.parametrize("arch", ["transformer", "lstm", "d3pm"])
def test_less_is_kept_for_the_backward_pass(arch):
    plain, less = (saved_bytes(small_engine(arch, **DEEP, **kind)) for kind in ({}, SETTING))
    assert less < 0.6 * plain


@pytest.mark.slow
def test_compiled_it_trains_as_without_and_keeps_less():
    """One of two blocks that is kept whole would be half: compiling by itself keeps no less."""
    two: dict[str, Any] = DEEP | {"model": {"depth": 2}}
    plain = small_engine(**two)
    less = small_engine(compile=True, kernels=False, **two, **SETTING)
    for engine in (plain, less):
        load_random(engine, 0.1)
        losses_of(engine, 3)
    assert less.metadata()["compiled"], less.metadata()
    assert_trains_alike(less.weights(), plain.weights())
    assert saved_bytes(less) < 0.4 * saved_bytes(plain)


class Dropped(nn.Module):
    """A block that draws random numbers in training."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(self.inner(x), 0.5)


def test_a_block_draws_the_same_random_numbers_again():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(Dropped(), Dropped()))
    x, grads = torch.randn(4, 8), []
    for is_checkpointed in (False, True):
        if is_checkpointed:
            checkpoint_blocks(model)
        torch.manual_seed(1)
        grads.append(torch.autograd.grad(model(x).square().sum(), list(model.parameters())))
    assert all(map(torch.equal, *grads))


def test_a_model_without_blocks_is_refused():
    with pytest.raises(ValueError, match=r"activation_checkpointing=true: .* no blocks"):
        checkpoint_blocks(nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ModuleList([nn.ReLU()])}))


def test_mlx_refuses_it():
    device = Device(name="mlx", backend="mlx", available=True, detail="")
    with pytest.raises(ValueError, match="activation_checkpointing=true: not for MLX"):
        registry.backend("mlx").check(Recipe(**SETTING), device)


@pytest.mark.mlx
def test_an_engine_of_mlx_refuses_what_it_would_ignore():
    pytest.importorskip("mlx.core")
    settings: list[dict[str, Any]] = [SETTING, {"optimizer": "adamw8bit"}]
    for setting in settings:
        with pytest.raises(ValueError, match="MLX"):
            small_engine(device="mlx", **setting)
