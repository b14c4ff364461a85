"""Sizes, minutes, --set and the checks of the frozen settings."""

import pytest

from architectures.transformer import Config
from speedrun.config import Data, Recipe, parse_settings
from speedrun.text import format_size, nearest, parse_minutes, parse_size

SECTIONS = {"recipe": Recipe, "model": Config, "data": Data}


@pytest.mark.parametrize(
    ("text", "number"),
    [("2M", 2_000_000), ("250k", 250_000), ("1.5m", 1_500_000), ("100", 100), ("1B", 10**9)],
)
def test_sizes_are_read_with_their_unit(text, number):
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "2X", "M", "-2M", "0", "0.0M", "two", "1e6", "nan", "2 M M"])
def test_sizes_that_are_none_say_what_is_allowed(text):
    with pytest.raises(ValueError, match="give a number above 0 such as"):
        parse_size(text)


def test_sizes_print_with_three_digits():
    assert [format_size(n) for n in (2_004_288, 250_000, 999, 1.5e9)] == [
        "2M",
        "250K",
        "999",
        "1.5B",
    ]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "five", "", "1441"])
def test_minutes_that_are_none_say_what_is_allowed(text):
    with pytest.raises(ValueError, match="--minutes"):
        parse_minutes(text)


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
        ("lr=1", LookupError, "unknown --set key"),
        ("recipe.lr", ValueError, "key=value"),
        ("recipe.lr=fast", ValueError, "expected float"),
        ("recipe.lr=nan", ValueError, "finite"),
        ("recipe.batch_rows=1.5", ValueError, "expected int"),
        ("recipe.compile=maybe", ValueError, "true and false"),
        ("model.mlp=relu", ValueError, "allowed are swiglu"),
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


def test_a_seed_of_zero_and_a_floor_of_zero_are_values():
    assert parse_settings(["recipe.lr_floor=0"], SECTIONS)["recipe"] == {"lr_floor": 0.0}


def test_nearest_offers_close_names_and_lists_all():
    text = str(nearest("transfomer", ["transformer", "lstm"], "architecture"))
    assert "did you mean transformer?" in text and "lstm" in text
