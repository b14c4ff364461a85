"""The products that architectures declare are those of their weights."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from speedrun.models import loader
from speedrun.plan.plan import make_plan
from speedrun.plan.request import Options

ROOT = Path(__file__).resolve().parent.parent.parent


TABLES = {"input_bigrams": 500, "input_trigrams": 700, "table_width": 16}
CASES = [
    ("transformer", {}),
    ("transformer", {"mlp": "swiglu", "positions": "learned", "norm": "layer", "tied": False}),
    ("transformer", {**TABLES, "value_bigrams": 300}),
    ("transformer", {**TABLES, "table_width": 0}),
    ("lstm", TABLES),
    ("d3pm", {}),
    ("d3pm", {"denoiser": "lstm", **TABLES}),
]


@pytest.mark.parametrize(("arch", "fixed"), CASES)
def test_a_networks_products_are_its_matrices(arch, fixed):
    """Two for every weight of two axes that is not looked up, less attention's own."""
    architecture = loader.architecture(arch)
    model: Any = architecture.for_params(300_000, 4096, context=64, **fixed)
    parts = dict(architecture.forward_flops(model, 1.0) or {})
    output = parts.pop("output")
    attention = parts.pop("attention", 0.0)
    places = 65 / 64 if arch == "d3pm" else 1.0
    time = parts.pop("time", 0.0)
    outside = r"(embed|positions|values|token_scales|head|ngrams)\.|.*(rare|mixing|time\.weight)$"
    num_weights = sum(
        array.size
        for name, array in architecture.initial(model, 0).items()
        if array.ndim == 2 and not re.match(outside, name)
    )
    assert sum(parts.values()) == pytest.approx(2 * num_weights * places)
    active = 0.5 * (1 + 1 / 1000) if arch == "d3pm" else 1.0
    rows = model.vocab + (1 if model.num_common else 0)
    assert output == pytest.approx(active * 2 * rows * model.width)
    if arch == "transformer":  # a causal place sees half of the context in the mean
        assert attention == 2 * model.depth * model.width * 65
    assert time < 0.01 * output


def test_the_products_are_those_that_the_framework_counts():
    torch = pytest.importorskip("torch")
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    architecture = loader.architecture("transformer")
    config: Any = architecture.for_params(300_000, 4096, context=64)
    parts = dict(architecture.forward_flops(config, 1.0) or {})
    del parts["output"]  # the harness's
    parts["attention"] *= 2 * 64 / 65  # the plain kernel computes masked places, too
    model = architecture.model("torch")(config)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model.features(torch.zeros(3, 64, dtype=torch.long))
    assert counter.get_total_flops() == pytest.approx(3 * 64 * sum(parts.values()))


def test_two_levels_of_a_softmax_cost_what_is_trained():
    architecture = loader.architecture("transformer")
    config: Any = architecture.for_params(2_000_000, 4096)
    processor = (architecture.forward_flops(config, 0.1) or {})["output"]
    D = config.width
    assert processor == pytest.approx(2 * D * 1025 + 0.1 * 2 * D * 3072)
    one_level: Any = dataclasses.replace(config, num_common=0)
    assert (architecture.forward_flops(one_level, 0.1) or {})["output"] == 2 * D * 4096


def test_an_architecture_that_says_nothing_counts_its_weights():
    folder = ROOT / "tests" / "plugins" / "recent_words"
    sheet = make_plan(Options(params="289K", tokens="1M", arch=str(folder), tflops=1.0))
    inner = sheet.value("model", "num_params_non_embedding")
    assert sheet.value("compute", "exact_flop") == pytest.approx(6 * inner * 1e6)
