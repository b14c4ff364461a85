"""The LSTM: sizes, initial weights, and a recurrence that is the same on every path."""

import numpy as np
import pytest

from architectures import lstm
from architectures.lstm.config import GATES
from speedrun.backends import registry
from speedrun.config import Recipe
from speedrun.models import loader
from speedrun.protocols import EngineSpec

torch = pytest.importorskip("torch")

from architectures.lstm import torch_recurrence as recurrence  # noqa: E402
from architectures.lstm.torch_model import Model  # noqa: E402

SMALL = {"depth": 2, "token_scales": 1, "num_common": 8, "context": 16}


def loaded(config: lstm.Config) -> Model:
    model = Model(config)
    with torch.no_grad():
        for name, param in model.named_parameters():
            param.copy_(torch.from_numpy(lstm.initial(config, 0)[name]))
    return model


def test_the_contracts_tiny_size_exists():
    assert lstm.for_params(20_000, 32, context=16).num_params == pytest.approx(20_000, rel=0.03)


def test_one_bias_a_layer_and_no_other():
    """Two trained biases move their sum twice as fast as the one of other frameworks."""
    config = lstm.for_params(20_000, 32, **SMALL)
    biases = [n for n, _ in loaded(config).named_parameters() if "bias" in n]
    assert biases == ["layers.0.bias", "layers.1.bias"]
    bias = torch.zeros(4 * 3, requires_grad=True)
    x, weight_x, weight_h = torch.ones(2, 5, 4), torch.ones(12, 4), torch.ones(12, 3)
    (once,) = torch.autograd.grad(recurrence.stepwise(x, weight_x, weight_h, bias).sum(), bias)
    (fused,) = torch.autograd.grad(recurrence.fused(x, weight_x, weight_h, bias).sum(), bias)
    torch.testing.assert_close(fused, once)


def test_forgetting_starts_biased_to_one_and_the_recurrence_orthogonal():
    config = lstm.for_params(20_000, 32, **SMALL)
    weights = lstm.initial(config, 3)
    i, f, g, o = weights["layers.1.bias"].reshape(4, -1)
    assert (f == 1).all()
    assert not any(gate.any() for gate in (i, g, o))
    for gate in GATES:
        h = weights[f"layers.1.weight_h.{gate}"]
        np.testing.assert_allclose(h @ h.T, np.eye(config.hidden), atol=1e-5)
    assert not np.array_equal(weights["layers.1.weight_h.i"], weights["layers.1.weight_h.f"])


def test_the_gates_stand_in_the_order_of_the_textbook():
    """Against `torch.nn.LSTM` itself, whose order is i, f, g, o, as MLX's is."""
    config = lstm.for_params(20_000, 32, **SMALL)
    weights = {n: torch.from_numpy(w) for n, w in lstm.initial(config, 0).items()}
    x_BTD = torch.randn(3, 9, config.width, generator=torch.Generator().manual_seed(0))
    reference = torch.nn.LSTM(config.width, config.hidden, batch_first=True)
    stacked = {
        kind: torch.cat([weights[f"layers.0.weight_{kind}.{gate}"] for gate in "ifgo"])
        for kind in "xh"
    }
    bias = weights["layers.0.bias"]
    with torch.no_grad():
        reference.weight_ih_l0.copy_(stacked["x"])
        reference.weight_hh_l0.copy_(stacked["h"])
        reference.bias_ih_l0.copy_(bias)
        reference.bias_hh_l0.zero_()
        expected, _ = reference(x_BTD)
        for run in (recurrence.fused, recurrence.stepwise):
            torch.testing.assert_close(run(x_BTD, stacked["x"], stacked["h"], bias), expected)


def test_a_row_knows_nothing_of_the_rows_before():
    config = lstm.for_params(20_000, 32, **SMALL)
    model = loaded(config)
    with torch.no_grad():
        for param in model.parameters():
            param.normal_(0, 0.3)
        tokens = torch.randint(0, 32, (4, 16), generator=torch.Generator().manual_seed(0))
        alone = model.features(tokens[:1])
        model.features(tokens)
        torch.testing.assert_close(model.features(tokens[:1]), alone)
        torch.testing.assert_close(model.features(tokens)[:1], alone)


def test_steps_and_fused_kernel_agree_in_values_and_gradients():
    assert recurrence._difference(recurrence.fused, recurrence.stepwise, "cpu") < 1e-5


def test_a_training_run_is_the_same_on_both_paths(monkeypatch):
    rows = np.random.default_rng(0).integers(0, 32, (4, 17), dtype=np.int32)
    architecture, cpu = loader.architecture("lstm"), registry.device("cpu")
    config = lstm.for_params(20_000, 32, **SMALL)
    recipe = Recipe(compile=False, precision="fp32", batch_rows=4)
    ends = []
    for path in (recurrence.fused, recurrence.stepwise):
        monkeypatch.setattr(
            recurrence, "choose", lambda device, half, path=path: recurrence.Choice("", path, "")
        )
        engine = registry.engine(
            EngineSpec(architecture=architecture, config=config, recipe=recipe, device=cpu)
        )
        for _ in range(20):
            engine.step(rows, 1.0)
        ends.append(engine.train_loss())
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)


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
