"""Sizes, parameters and settings of the architectures that are trained by gradients."""

from typing import Any

import numpy as np
import pytest

from architectures import d3pm, lstm, networks, transformer
from speedrun.models import loader

GOEDECKE = transformer.RECIPES["goedecke"]["model"]
DENOISERS = [
    {"denoiser": denoiser, "transition": transition}
    for denoiser in ("transformer", "lstm")
    for transition in ("absorbing", "uniform")
]
TABLES = {"input_bigrams": 500, "input_trigrams": 700, "table_width": 16}


def name_of(package: Any) -> str:
    return package.__name__.rpartition(".")[2]


@pytest.mark.parametrize("target", [100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize(
    ("package", "fixed"),
    [(transformer, {}), (transformer, GOEDECKE), (lstm, {}), *((d3pm, one) for one in DENOISERS)],
    ids=lambda value: name_of(value) if hasattr(value, "Config") else "",
)
def test_sizes_are_hit_within_three_percent(package, fixed, target):
    config = package.for_params(target, 4096, **fixed)
    assert config.num_params == pytest.approx(target, rel=0.03)
    assert config.num_params_non_embedding < config.num_params


@pytest.mark.parametrize(
    ("package", "fixed", "shape"),
    [
        (transformer, {}, {"width": 128, "heads": 2, "depth": 3, "hidden": 296}),
        (transformer, GOEDECKE, {"width": 184, "heads": 4, "depth": 3, "hidden": 480}),
        (lstm, {}, {"width": 120, "depth": 2, "hidden": 192}),
        (d3pm, {}, {"width": 120, "heads": 2, "depth": 3, "hidden": 472}),
    ],
)
def test_two_million_keep_the_shape_that_was_raced(package, fixed, shape):
    config = package.for_params(2_000_000, 4096, **fixed)
    assert {name: getattr(config, name) for name in shape} == shape


SETTINGS: list[tuple[Any, dict[str, Any]]] = [
    (transformer, {}),
    (transformer, GOEDECKE),
    (transformer, {"mlp": "gelu"}),
    (transformer, {"norm": "layer", "tied": False}),
    (transformer, {"qk_norm": False, "token_shift": False, "skip_scales": False}),
    (transformer, {"value_tables": 0, "num_common": 0}),
    (transformer, {**TABLES, "value_bigrams": 300}),
    (lstm, {}),
    (lstm, {"token_shift": False, "skip_scales": False}),
    (lstm, {"num_common": 0, "token_scales": 0, "depth": 3, **TABLES}),
    (lstm, {"width": 16, "hidden": 40, "token_scales": 1, "depth": 2}),
    *((d3pm, one) for one in DENOISERS),
    (d3pm, {"mixing": 1, "value_tables": 0}),
    (d3pm, {"denoiser": "lstm", "num_common": 100, **TABLES}),
]


@pytest.mark.parametrize(("package", "change"), SETTINGS)
def test_parameters_are_those_of_the_initial_weights_under_every_setting(package, change):
    pytest.importorskip("torch")
    if {"width", "hidden"} <= change.keys():
        config = package.Config(vocab=300, context=16, num_common=8, **change)
    else:
        config = package.for_params(100_000, 300, **{"context": 16, **change})
    model = loader.architecture(name_of(package)).model("torch")(config)
    named = {name: tuple(param.shape) for name, param in model.named_parameters()}
    assert {name: array.shape for name, array in package.initial(config, 0).items()} == named
    assert sum(int(np.prod(shape)) for shape in named.values()) == config.num_params


@pytest.mark.parametrize("package", [transformer, lstm, d3pm])
def test_initial_weights_depend_on_the_seed(package):
    config = package.for_params(60_000, 300)
    first, same, other = (package.initial(config, seed) for seed in (0, 0, 1))
    for name in first:
        np.testing.assert_array_equal(first[name], same[name])
    assert not np.array_equal(first["embed.weight"], other["embed.weight"])


COMMON = [
    ({"depth": 0}, "model.depth=0: must be 1 or more"),
    ({"depth": 10**9}, "model.depth=1000000000: allowed are 1 to 1024"),
    ({"width": 10**30}, "model.width=10+: allowed are 1 to 65536"),
    ({"num_common": 4096}, "below 4096"),
    ({"input_bigrams": -1}, "model.input_bigrams=-1: allowed are 0 to"),
    ({"input_trigrams": 1 << 31}, "model.input_trigrams=2147483648: allowed are 0 to"),
    ({"table_width": -8}, "model.table_width=-8: allowed are 0 to"),
]
HEADS = [
    ({"heads": 7, "width": 120}, "must divide"),
    ({"heads": 120, "width": 120}, "even head size"),
    ({"value_tables": 9}, "allowed are 0 to model.depth"),
]
REFUSED = [
    *((transformer, *case) for case in (*COMMON, *HEADS, ({"width": 7}, "even head size"))),
    *((lstm, *case) for case in COMMON),
    *(
        (one, {"input_bigrams": 1 << 20}, "fewer rows of n-gram")
        for one in (transformer, lstm, d3pm)
    ),
    (lstm, {"width": 0}, "model.width=0: must be 1 or more"),
    (lstm, {"hidden": -1}, "model.hidden=-1: must be 1 or more"),
    (lstm, {"token_scales": 9}, "allowed are 0 to model.depth"),
    *((d3pm, *case) for case in (*COMMON, *HEADS)),
    (d3pm, {"num_steps": 0}, "allowed are 1 to"),
    (d3pm, {"num_steps": 10**7}, "allowed are 1 to"),
    (d3pm, {"mixing": 4}, "odd"),
    (d3pm, {"mixing": 0}, "odd"),
    (d3pm, {"bound_weight": 0.0, "auxiliary": 0.0}, "one must be above 0"),
    (d3pm, {"auxiliary": -1.0}, "0 or more"),
]


@pytest.mark.parametrize(("package", "settings", "says"), REFUSED)
def test_settings_that_cannot_be_are_refused(package, settings, says):
    with pytest.raises(ValueError, match=says):
        package.for_params(2_000_000, 4096, **settings)


@pytest.mark.parametrize("package", [transformer, lstm, d3pm])
@pytest.mark.parametrize(
    ("target", "fixed"),
    [(10_000, {}), (2_000_000, {"width": 512}), (2_000_000, {"width": 120, "hidden": 8})],
)
def test_a_size_that_cannot_be_met_says_what_to_do(package, target, fixed):
    with pytest.raises(ValueError, match="ask for"):
        package.for_params(target, 4096, **fixed)


@pytest.mark.parametrize(
    ("package", "fixed"), [(transformer, {}), (lstm, {}), (d3pm, {"denoiser": "lstm"})]
)
def test_the_hidden_size_that_meets_a_target_is_found_exactly(package, fixed):
    config = package.for_params(500_000, 4096, **fixed)
    hidden = networks._exact_hidden(config, config.num_params)
    assert hidden == pytest.approx(config.hidden, abs=1e-6)
