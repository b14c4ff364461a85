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
    ("make", "change", "says"),
    [
        (Recipe, {"lr": 0.0}, "recipe"),
        (Recipe, {"lr": -1.0}, "recipe"),
        (Recipe, {"batch_rows": 0}, "recipe"),
        (Recipe, {"beta1": 1.5}, "recipe"),
        (Recipe, {"beta2": 1.0}, "recipe"),
        (Recipe, {"warmup": 0.6, "cooldown": 0.6}, "recipe"),
        (Recipe, {"batch_rows": 8, "micro_batch_rows": 3}, "recipe"),
        (Recipe, {"grad_clip": -1.0}, "recipe"),
        (Data, {"vocab": 256}, "allowed"),
        (Data, {"vocab": 65537}, "allowed"),
        (Data, {"eval_docs": 1}, "allowed|at least"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, change, says):
    with pytest.raises(ValueError, match=says):
        make(**change)


def test_a_floor_of_zero_and_none_are_values():
    assert parse_settings(["recipe.lr_floor=0"], SECTIONS)["recipe"] == {"lr_floor": 0.0}
    assert parse_settings(["data.eval_docs=all"], SECTIONS)["data"] == {"eval_docs": None}


def test_a_record_has_a_field_that_older_ones_lack_only_where_it_is_set():
    assert "workers" not in Recipe().as_dict()
    assert Recipe(workers=2).as_dict() == {**Recipe().as_dict(), "workers": 2}
    assert "activation_checkpointing" not in Recipe().as_dict()
    less = Recipe(activation_checkpointing=True).as_dict()
    assert less == {**Recipe().as_dict(), "activation_checkpointing": True}
