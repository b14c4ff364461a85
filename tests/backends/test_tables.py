"""Tables of which a step changes the rows that it read: as a dense reference, in every way."""

from typing import Any

import numpy as np
import pytest
from helpers.engines import assert_same_weights, losses_of, random_rows, small_engine

from speedrun.config import Recipe
from speedrun.protocols import OutOfMemory

TABLES = {"input_bigrams": 64, "value_trigrams": 96}
NAMES = [f"ngrams.{field}.weight" for field in TABLES]
R, D, BETA2, EPS, LR = 200, 6, 0.9, 1e-6, 0.1


@pytest.fixture(params=["cpu", pytest.param("mlx", marks=pytest.mark.mlx)])
def device(request) -> str:
    pytest.importorskip("mlx.core" if request.param == "mlx" else "torch")
    return request.param


def engine_of(device: str = "cpu", **options: Any) -> Any:
    model = {"depth": 1, "value_tables": 0, **TABLES, **options.pop("model", {})}
    return small_engine("transformer", device, model=model, **options)


def steps(number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows that steps read, some of them more than once, and their gradients."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(number):
        index = rng.zipf(1.4, 20) % R
        found.append((index, rng.normal(size=(20, D)).astype(np.float32)))
    return found


def dense_reference(table: np.ndarray, number: int) -> np.ndarray:
    """The table after so many steps, by gradients [R, D] and a mask of the rows read."""
    table, moments, counts = table.astype(np.float64), np.zeros(R), np.zeros(R)
    for step, (index, grads) in enumerate(steps(number)):
        dense, is_read = np.zeros((R, D)), np.isin(np.arange(R), index)
        np.add.at(dense, index, grads)
        counts += is_read
        moments[is_read] *= BETA2
        moments[is_read] += (1 - BETA2) * np.square(dense[is_read]).mean(axis=1)
        corrected = moments / np.where(counts, 1 - BETA2**counts, 1.0)
        rate = LR * (1 - step / number)
        table -= rate * is_read[:, None] * dense / (np.sqrt(corrected) + EPS)[:, None]
    return table


def torch_rows(table: np.ndarray, number: int) -> np.ndarray:
    torch = pytest.importorskip("torch")
    from speedrun.backends.torch import optimizers

    model = torch.nn.Embedding(R, D, sparse=True, _weight=torch.from_numpy(table.copy()))
    recipe = Recipe(lr_table=LR, beta2=BETA2, eps=EPS, weight_decay=0.5)
    (optimizer,) = optimizers.build(model, [("weight", "table")], recipe, torch.float32)
    for step, (index, grads) in enumerate(steps(number)):
        (model(torch.from_numpy(index)) * torch.from_numpy(grads)).sum().backward()
        optimizers.coalesce([model.weight])
        optimizer.param_groups[0]["lr"] = LR * (1 - step / number)
        optimizer.step()
        optimizer.zero_grad()
    return model.weight.detach().numpy()


def mlx_rows(table: np.ndarray, number: int) -> np.ndarray:
    mx = pytest.importorskip("mlx.core")
    from speedrun.backends.mlx import optimizers

    recipe = Recipe(lr_table=LR, beta2=BETA2, eps=EPS, weight_decay=0.5)
    grouped = optimizers.Grouped(["weight"], [("weight", "table")], recipe, mx.float32)
    held = mx.array(table)
    states = grouped.start({"weight": held})
    for step, (index, grads) in enumerate(steps(number)):
        rows, sums = optimizers.coalesced(mx.array(index), mx.array(grads))
        no_change = {"weight": mx.zeros_like(sums)}
        scale = mx.array(1 - step / number)
        changes, states = grouped.apply(
            no_change, states, {"weight": sums}, scale, {"weight": rows}
        )
        held = held.at[rows].add(changes["weight"])
    return np.array(held)


def test_the_optimizer_is_its_dense_reference(device):
    table = np.random.default_rng(1).normal(size=(R, D)).astype(np.float32)
    found = (torch_rows if device == "cpu" else mlx_rows)(table, 40)
    np.testing.assert_allclose(found, dense_reference(table, 40), rtol=1e-4, atol=2e-5)
    assert 0 < (found == table).all(axis=1).sum() < R / 2, "rows that no step read stay"


def trained(engine: Any, number: int = 4) -> dict[str, np.ndarray]:
    for step in range(number):
        engine.step(random_rows(step), 1.0 - step / 8)
    return engine.weights()


@pytest.mark.parametrize(
    "way",
    [
        {"micro_batch_rows": 1},
        {"workers": 2},
        pytest.param({"compile": True}, marks=pytest.mark.slow),
    ],
)
def test_every_way_to_take_a_step_changes_the_same_rows(device, way, monkeypatch):
    if device == "mlx":
        from speedrun.backends.mlx import devices

        monkeypatch.setattr(devices, "compiling", lambda: {"compiled": True})  # as on a GPU
    options = {"grad_clip": 0.3, "lr": 1e-3, "lr_matrix": 1e-3}
    engine = engine_of(device, **options, **way)
    found, expected = trained(engine), trained(engine_of(device, **options))
    assert engine.metadata()["compiled"] is way.get("compile", False)
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-5)
        is_changed = expected[name].astype(bool).max(axis=1)
        assert 10 < is_changed.sum() < len(is_changed)


@pytest.mark.mlx
def test_twins_train_alike():
    pytest.importorskip("mlx.core")
    ends = [trained(engine_of(one, grad_clip=0.3, eps=1e-4), 40) for one in ("cpu", "mlx")]
    for name in NAMES:
        assert np.abs(ends[0][name]).max() > 0.05
        np.testing.assert_allclose(ends[1][name], ends[0][name], atol=2e-3)


def test_a_reset_forgets_rows_and_moments(device):
    engine = engine_of(device)
    initial, first = engine.weights(), trained(engine)
    engine.reset()
    assert_same_weights(engine.weights(), initial)
    assert_same_weights(trained(engine), first)
    engine.load(initial)
    assert not any(engine.weights()[name].any() for name in NAMES)


def test_a_step_that_ran_out_of_memory_is_taken_again(device, monkeypatch):
    engine = engine_of(device)
    attribute, place = ("forward", 0) if device == "cpu" else ("gradients", 3)
    initial, real = engine.weights(), getattr(engine, attribute)

    def no_room(*args):
        if len(args[place]) > 1 and seen.pop():
            raise RuntimeError("out of memory")
        return real(*args)

    seen = [True, False, True, False]  # fails at the second piece of two, then at the first
    monkeypatch.setattr(engine, attribute, no_room)
    engine.halve_micro_batch()
    with pytest.raises(OutOfMemory):
        engine.step(random_rows(), 1.0)
    assert_same_weights(engine.weights(), initial)
    monkeypatch.setattr(engine, attribute, real)
    found, expected = trained(engine), trained(engine_of(device))
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)


def test_a_scaled_loss_is_unscaled_and_an_infinite_one_left_out(device):
    if device == "cpu":
        import torch

        engine, plain = engine_of(optimizer="adamw"), engine_of(optimizer="adamw")
        engine._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        found, expected = trained(engine), trained(plain)
        for name in NAMES:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
        engine._scaler = torch.amp.GradScaler("cpu", init_scale=float("inf"))
    else:
        import mlx.core as mx

        engine = engine_of("mlx", precision="fp16")
        found = trained(engine)
        assert all(found[name].any() for name in NAMES)
        engine._scaling["scale"] = mx.array(1e30)
    engine.step(random_rows(9), 1.0)
    assert_same_weights(engine.weights(), found)


def test_clipping_counts_each_row_once():
    torch = pytest.importorskip("torch")
    from speedrun.backends.torch import optimizers

    ends, index = [], torch.tensor([3, 3, 1, 3, 0])
    for sparse in (True, False):
        table = torch.nn.Embedding(8, 4, sparse=sparse, _weight=torch.ones(8, 4))
        other = torch.nn.Parameter(torch.ones(4))
        (table(index) * other * torch.arange(4.0)).sum().backward()
        optimizers.coalesce(optimizers.tables(table))
        if sparse:
            optimizers.clip_grad_norm([table.weight, other], 0.5)
        else:
            torch.nn.utils.clip_grad_norm_([table.weight, other], 0.5)
        assert table.weight.grad is not None
        ends.append((table.weight.grad.to_dense() if sparse else table.weight.grad, other.grad))
    torch.testing.assert_close(*ends)


def test_a_profile_of_a_step_has_its_parts(device):
    found = engine_of(device).profile([random_rows(0), random_rows(1)])
    assert found.parts_s["optimizer"] > 0


def test_zeros_are_held_once(device):
    engine = engine_of(device)
    assert all(engine._initial[name].strides == (0, 0) for name in NAMES)


@pytest.mark.parametrize(
    ("group", "says"), [("embedding", "and is of"), ("table", "and is not of")]
)
def test_a_group_and_a_table_go_together(group, says):
    torch = pytest.importorskip("torch")
    from speedrun.backends.torch import optimizers

    model = torch.nn.Embedding(8, 4, sparse=group != "table")
    with pytest.raises(ValueError, match=rf"'weight' is in the group '{group}' .* {says} an"):
        optimizers.build(model, [("*", group)], Recipe(), torch.float32)


@pytest.mark.mlx
def test_an_mlx_model_says_what_it_reads(monkeypatch):
    pytest.importorskip("mlx.core")
    from architectures.transformer.mlx_model import Model

    monkeypatch.delattr(Model, "table_index")
    with pytest.raises(ValueError, match=r"group 'table' .* must have table_index"):
        engine_of("mlx")


def test_losses_fall_by_tables_alone(device):
    losses = losses_of(engine_of(device, lr=1e-9, lr_matrix=1e-9), 6)
    assert losses[-1] < losses[0] - 0.1
