"""Sizes of the transformer, and its settings that cannot be."""

import numpy as np
import pytest

from architectures import transformer
from speedrun.models import loader

TARGETS = (100_000, 250_000, 1_000_000, 2_000_000, 10_000_000, 100_000_000)


@pytest.mark.parametrize("recipe", transformer.RECIPES)
@pytest.mark.parametrize("target", TARGETS)
def test_sizes_are_hit_within_three_percent(target, recipe):
    config = transformer.for_params(target, 4096, **transformer.RECIPES[recipe]["model"])
    assert config.num_params == pytest.approx(target, rel=0.03)
    assert 2 <= config.depth <= 4
    assert config.num_params_non_embedding < config.num_params


def test_beside_value_tables_a_full_vectors_width_is_worth_a_narrow_mlp():
    config = transformer.for_params(2_000_000, 4096)
    assert (config.width, config.heads, config.depth, config.hidden) == (128, 2, 3, 296)


def test_the_yardstick_keeps_the_shape_that_it_was_raced_in():
    settings = transformer.RECIPES["goedecke"]["model"]
    config = transformer.for_params(2_000_000, 4096, **settings)
    assert (config.width, config.heads, config.depth, config.hidden) == (184, 4, 3, 480)


@pytest.mark.parametrize("recipe", transformer.RECIPES)
def test_the_number_of_parameters_is_the_models(recipe):
    settings = transformer.RECIPES[recipe]["model"]
    config = transformer.for_params(300_000, 1000, **settings)
    model = loader.architecture("transformer").model("torch")(config)
    named = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert named == dict(transformer.shapes(config))
    assert sum(p.numel() for p in model.parameters()) == config.num_params


@pytest.mark.parametrize(
    "change",
    [
        {"mlp": "gelu"},
        {"mlp": "swiglu", "positions": "learned"},
        {"norm": "layer", "tied": False},
        {"qk_norm": False, "token_shift": False, "skip_scales": False, "num_common": 0},
        {"value_tables": 0},
    ],
)
def test_every_setting_makes_the_model_it_names(change):
    config = transformer.for_params(60_000, 300, context=16, **change)
    model = loader.architecture("transformer").model("torch")(config)
    assert {n: tuple(p.shape) for n, p in model.named_parameters()} == dict(
        transformer.shapes(config)
    )
    weights = transformer.initial(config, 0)
    assert weights.keys() == dict(transformer.shapes(config)).keys()


def test_initial_weights_depend_on_the_seed():
    config = transformer.for_params(60_000, 300)
    first, same, other = (transformer.initial(config, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["embed.weight"], same["embed.weight"])
    assert not np.array_equal(first["embed.weight"], other["embed.weight"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"heads": 7, "width": 120}, "must divide"),
        ({"heads": 120, "width": 120}, "even head size"),
        ({"width": 7}, "even head size"),
        ({"depth": 0}, "must be 1 or more"),
        ({"value_tables": 9}, "allowed are 0 to model.depth"),
        ({"num_common": 4096}, "below 4096"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        transformer.for_params(2_000_000, 4096, **settings)


@pytest.mark.parametrize(
    ("target", "fixed"),
    [(10_000, {}), (2_000_000, {"width": 512}), (2_000_000, {"width": 120, "hidden": 8})],
)
def test_a_size_that_cannot_be_met_says_what_to_do(target, fixed):
    with pytest.raises(ValueError, match="ask for"):
        transformer.for_params(target, 4096, **fixed)
