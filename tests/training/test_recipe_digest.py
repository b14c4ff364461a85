"""Digests of recipes: of their settings, whatever their name and the size, seed and budget."""

import dataclasses

import pytest

from speedrun.config import Data
from speedrun.models import loader
from speedrun.training import request
from speedrun.training.recipe_digest import of_request, recipe_digest
from speedrun.training.request import RunRequest

TRANSFORMER = loader.architecture("transformer")
DEFAULT = recipe_digest(TRANSFORMER, "default")


def of_race(**options) -> str:
    return of_request(request.check(TRANSFORMER, RunRequest(**options)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seed": 7, "budget_s": 60.0, "keep": "best", "params": "8M", "tune": "full"},
        {"tables": "8M"},
        {"data": Data(path="elsewhere", vocab=512, eval_docs=20)},
        {"settings": ("data.eval_docs=30",)},
        {"settings": (f"recipe.lr={request.check(TRANSFORMER, RunRequest()).recipe.lr}",)},
    ],
)
def test_what_is_no_setting_of_the_recipe_changes_nothing(options):
    assert of_race(**options) == DEFAULT


def test_every_setting_of_the_recipe_is_another_digest():
    some = ("recipe.lr=0.5", "recipe.batch_rows=4", "model.context=64", "model.width=512")
    found = {recipe_digest(TRANSFORMER, "default", [one]) for one in some}
    assert len(found | {DEFAULT}) == 5  # a width that makes no 1M parameters is one, too
    assert found == {of_race(settings=(one,)) for one in some}


def test_settings_that_save_memory_are_other_recipes_and_change_no_digest_of_old():
    assert (
        recipe_digest(TRANSFORMER, "default", ["recipe.activation_checkpointing=false"]) == DEFAULT
    )
    some = ("recipe.activation_checkpointing=true", "recipe.optimizer=adamw8bit")
    assert len({DEFAULT, *(recipe_digest(TRANSFORMER, "default", [one]) for one in some)}) == 3


def test_a_name_that_changes_its_meaning_changes_its_digest(monkeypatch):
    recipes = TRANSFORMER.RECIPES
    changed = {**recipes["default"], "recipe": {**recipes["default"]["recipe"], "beta2": 0.9}}
    monkeypatch.setattr(TRANSFORMER, "RECIPES", {"default": changed, "mine": recipes["default"]})
    assert recipe_digest(TRANSFORMER, "default") != DEFAULT
    assert recipe_digest(TRANSFORMER, "mine") == DEFAULT


def test_a_record_that_is_run_again_has_the_digest_of_its_settings():
    run = request.resolve(TRANSFORMER, RunRequest(), 4096)
    other = dataclasses.replace(run.recipe, lr=1.0)
    again = of_race(again=run)
    assert again == of_race(again=dataclasses.replace(run, seed=3, budget_s=1.0))
    assert again != of_race(again=dataclasses.replace(run, recipe=other))


@pytest.mark.parametrize(("recipe", "settings"), [("defualt", ()), ("default", ["recipe.lrr=1"])])
def test_an_unknown_recipe_or_setting_is_refused(recipe, settings):
    with pytest.raises(LookupError):
        recipe_digest(TRANSFORMER, recipe, settings)
