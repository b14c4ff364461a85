"""--set and the checks of the frozen settings."""

import pytest

from architectures.transformer import Config
from speedrun.config import Data, Recipe, parse_settings

SECTIONS = {"recipe": Recipe, "model": Config, "data": Data}


def test_settings_are_typed_by_their_field():
    got = parse_settings(
        ["recipe.lr=0.002", "recipe.batch_rows=16", "recipe.compile=false", "model.mlp=gelu"],
        SECTIONS,
    )
    assert got["recipe"] == {"lr": 0.002, "batch_rows": 16, "compile": False}
    assert got["model"] == {"mlp": "gelu"}


@pytest.mark.parametrize(
    ("setting", "error", "says"),
    [
        ("recipe.lrr=1", LookupError, "did you mean recipe.lr"),
        ("lr=1", LookupError, r"^unknown --set key 'lr': did you mean recipe.lr\?$"),
        ("zzz=1", LookupError, "known: .*recipe.warmup"),
        ("recipe.lr", ValueError, "key=value"),
        ("recipe.lr=fast", ValueError, "expected a valid number"),
        ("recipe.lr=nan", ValueError, "finite"),
        ("recipe.lr=1e400", ValueError, "finite"),
        ("data.eval_docs=some", ValueError, "data.eval_docs=some: expected a valid integer"),
        ("recipe.batch_rows=1.5", ValueError, "expected a valid integer"),
        ("recipe.compile=maybe", ValueError, "true or false"),
        ("model.mlp=relu", ValueError, "expected 'swiglu', 'gelu'"),
    ],
)
def test_settings_that_are_wrong_say_what_is_allowed(setting, error, says):
    with pytest.raises(error, match=says):
        parse_settings([setting], SECTIONS)


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 0.0},
        {"lr": -1.0},
        {"batch_rows": 0},
        {"beta1": 1.5},
        {"warmup": 0.6, "cooldown": 0.6},
        {"batch_rows": 8, "micro_batch_rows": 3},
        {"grad_clip": -1.0},
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match="recipe"):
        Recipe(**change)


@pytest.mark.parametrize("change", [{"vocab": 256}, {"vocab": 65537}, {"eval_docs": 1}])
def test_data_settings_that_cannot_be_are_refused(change):
    with pytest.raises(ValueError, match=r"allowed|at least"):
        Data(**change)


def test_a_floor_of_zero_and_none_are_values():
    assert parse_settings(["recipe.lr_floor=0"], SECTIONS)["recipe"] == {"lr_floor": 0.0}
    assert parse_settings(["data.eval_docs=all"], SECTIONS)["data"] == {"eval_docs": None}
