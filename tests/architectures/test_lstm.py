"""The LSTM: its initial weights, and a recurrence that is the same on every path."""

from typing import Any

import numpy as np
import pytest

from architectures import lstm
from architectures.lstm.config import GATES
from speedrun.backends import registry
from speedrun.models import loader

torch = pytest.importorskip("torch")

from architectures.lstm import torch_recurrence as recurrence  # noqa: E402
from architectures.lstm.torch_model import Model  # noqa: E402

CONFIG: Any = lstm.for_params(20_000, 32, depth=2, token_scales=1, num_common=8, context=16)


def test_forgetting_starts_biased_to_one_and_the_recurrence_orthogonal():
    weights = lstm.initial(CONFIG, 3)
    i, f, g, o = weights["layers.1.bias"].reshape(4, -1)
    assert (f == 1).all()
    assert not any(gate.any() for gate in (i, g, o))
    for gate in GATES:
        h = weights[f"layers.1.weight_h.{gate}"]
        np.testing.assert_allclose(h @ h.T, np.eye(CONFIG.hidden), atol=1e-5)
    assert not np.array_equal(weights["layers.1.weight_h.i"], weights["layers.1.weight_h.f"])


@pytest.mark.parametrize("run", [recurrence.fused, recurrence.stepwise])
def test_gates_stand_in_the_order_of_the_textbook_and_have_one_bias(run):
    """Against `torch.nn.LSTM` itself, whose order is i, f, g, o, as MLX's is.

    Two trained biases move their sum twice as fast as the one of other frameworks.
    """
    generator = torch.Generator().manual_seed(0)
    x, weight_x, weight_h, bias = (
        torch.randn(shape, generator=generator).requires_grad_()
        for shape in ((3, 9, 5), (16, 5), (16, 4), (16,))
    )
    reference = torch.nn.LSTM(5, 4, batch_first=True)
    with torch.no_grad():
        reference.weight_ih_l0.copy_(weight_x)
        reference.weight_hh_l0.copy_(weight_h)
        reference.bias_ih_l0.copy_(bias)
        reference.bias_hh_l0.zero_()
    expected, found = reference(x)[0], run(x, weight_x, weight_h, bias)
    torch.testing.assert_close(found, expected)
    (grad,) = torch.autograd.grad(found.sum(), bias)
    torch.testing.assert_close(grad, torch.autograd.grad(expected.sum(), reference.bias_ih_l0)[0])
    biases = [name for name, _ in Model(CONFIG).named_parameters() if "bias" in name]
    assert biases == ["layers.0.bias", "layers.1.bias"]


@pytest.fixture
def choose():
    """`choose` that has seen nothing yet, and forgets what it sees here."""
    recurrence.choose.cache_clear()
    yield recurrence.choose
    recurrence.choose.cache_clear()


def broken_gradient(x_BTD, weight_x_GD, weight_h_GH, bias_G):
    return recurrence.stepwise(x_BTD, weight_x_GD, weight_h_GH.detach() + 0 * weight_h_GH, bias_G)


def missing(*_):
    raise NotImplementedError("aten::lstm is not implemented for this device\nlong story")


@pytest.mark.parametrize(
    ("kernel", "name", "says"),
    [
        (recurrence.fused, "fused", "agrees"),
        (broken_gradient, "stepwise", "off by"),
        (lambda *a: recurrence.stepwise(*a) * float("nan"), "stepwise", "off by nan"),
        (missing, "stepwise", "fails: aten::lstm is not implemented for this device"),
    ],
)
def test_a_fused_kernel_that_is_wrong_is_not_taken(choose, monkeypatch, kernel, name, says):
    monkeypatch.setattr(recurrence, "fused", kernel)
    state = torch.get_rng_state()
    with torch.no_grad():  # as where scoring is the first to ask
        choice = choose("cpu")
    assert choice.name == name and says in choice.why and "\n" not in choice.why
    assert torch.equal(torch.get_rng_state(), state)
    warnings = Model.warnings("cpu")
    assert (not warnings) if name == "fused" else (says in warnings[0])


@pytest.mark.parametrize(("fused_s", "name"), [(1e-3, "fused"), (5e-2, "stepwise")])
def test_where_the_fused_kernel_may_be_slow_the_faster_path_is_taken(
    choose, monkeypatch, fused_s, name
):
    monkeypatch.setattr(recurrence, "_MAYBE_SLOW", ("cpu",))
    times = {recurrence.fused: fused_s, recurrence.stepwise: 1e-2}
    monkeypatch.setattr(recurrence, "_time_s", lambda run, device: times[run])
    choice = choose("cpu")
    assert choice.name == name and "ms" in choice.why


def test_doctor_and_the_run_are_told_of_the_path(monkeypatch):
    from speedrun.cli import doctor

    slow = recurrence.Choice("stepwise", recurrence.stepwise, "the fused kernel is off by 1")
    monkeypatch.setattr("architectures.lstm.torch_model.choose", lambda device: slow)
    cpu = registry.device("cpu")
    said = ("the recurrence runs stepwise: the fused kernel is off by 1",)
    assert loader.architecture("lstm").warnings(cpu) == said
    assert {"architecture": "lstm", "device": "cpu", "text": said[0]} in list(doctor._warnings())
    assert loader.architecture("transformer").warnings(cpu) == ()
