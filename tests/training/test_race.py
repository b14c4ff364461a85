"""From what was asked for to settings, and from a run's folder back to a model."""

import dataclasses

import pytest
from helpers import folders

from speedrun.config import Data
from speedrun.models import loader
from speedrun.training.request import RunRequest, resolve

ARCHITECTURE = loader.architecture("transformer")


def test_a_recipe_sets_model_and_training_and_set_changes_them():
    request = RunRequest(recipe="goedecke", settings=("recipe.lr=0.002", "model.depth=2"))
    run = resolve(ARCHITECTURE, request, 4096)
    model = run.as_dict()["model"]
    assert (model["depth"], model["positions"]) == (2, "learned")
    assert (run.recipe.optimizer, run.recipe.lr, run.recipe.schedule) == ("adamw", 2e-3, "cosine")
    assert run.model.num_params == pytest.approx(2e6, rel=0.03)


def test_the_stride_defaults_to_half_the_context():
    run = resolve(ARCHITECTURE, RunRequest(settings=("model.context=64",)), 4096)
    assert run.data.stride == 32
    with pytest.raises(ValueError, match="at most the context"):
        resolve(ARCHITECTURE, RunRequest(settings=("model.context=64", "data.stride=65")), 4096)


@pytest.mark.parametrize("setting", ["recipe.lr=0.1", "recipe.precision=bf16"])
def test_a_setting_without_effect_is_refused(setting):
    counted = loader.architecture("ngram")
    with pytest.raises(ValueError, match=r"recipe\.\w+ has no effect on ngram.*recipe.batch_rows"):
        resolve(counted, RunRequest(settings=(setting,)), 4096)
    assert (
        resolve(counted, RunRequest(settings=("recipe.batch_rows=8",)), 4096).recipe.batch_rows == 8
    )


def test_the_vocabulary_has_a_flag_of_its_own():
    for setting in ("model.vocab=300", "data.vocab=300"):
        with pytest.raises(ValueError, match="--vocab"):
            resolve(ARCHITECTURE, RunRequest(settings=(setting,)), 4096)


def test_no_path_of_this_machine_reaches_the_record():
    request = RunRequest(data=Data(path="/home/me/secret"))
    plain = resolve(ARCHITECTURE, request, 4096).as_dict()
    assert "secret" not in str(plain)
    assert plain["data"]["eval_docs"] == 2000


def test_settings_can_be_rebuilt_from_the_record():
    run = resolve(ARCHITECTURE, RunRequest(settings=("model.mlp=gelu",)), 4096)
    plain = run.as_dict()
    assert ARCHITECTURE.Config(**plain["model"]) == run.model
    assert dataclasses.asdict(run.recipe) == plain["recipe"]


def test_unfair_plugin_is_refused_before_the_clock_starts(tmp_path, monkeypatch):
    """A model that reads the token it predicts never gets to train."""
    import json

    from speedrun.evaluation.fairness import UnfairModelError
    from speedrun.training.race import race
    from speedrun.training.signals import StopFlag
    from speedrun.ui.live import PlainView

    folder = folders.write(tmp_path / "leaky", folders.looking_ahead())
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(json.dumps({"text": f"Story {i} ends."}) for i in range(400)))
    monkeypatch.chdir(tmp_path)
    request = RunRequest(
        arch=str(folder),
        params="60K",
        budget_s=60,
        data=Data(path=str(data), vocab=300),
        settings=("recipe.compile=false", "model.context=32"),
        out=tmp_path / "runs",
    )
    from rich.console import Console

    with pytest.raises(UnfairModelError, match="not causal"):
        race(request, PlainView(Console(quiet=True)), StopFlag())
    assert not list((tmp_path / "runs").iterdir())
