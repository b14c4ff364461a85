"""Requests, the runs that they mean, and the command lines that they come from."""

from dataclasses import fields
from typing import Any

import pytest

from speedrun.cli.app import app
from speedrun.config import Data, Recipe, num_params_tables
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


@pytest.mark.parametrize(("context", "stride"), [(64, 32), (65, 32), (2, 1), (1, 1)])
def test_the_stride_is_half_the_context(context, stride):
    settings = (f"model.context={context}",)
    for chosen in ((), ("data.stride=0",), (f"data.stride={stride}",)):
        run = resolve(ARCHITECTURE, RunRequest(settings=settings + chosen), 4096)
        assert run.data.stride == stride
    with pytest.raises(ValueError, match=rf"data.stride={context + 1}: .*, {stride}; leave it out"):
        other = (f"data.stride={context + 1}",)
        resolve(ARCHITECTURE, RunRequest(settings=settings + other), 4096)


def test_a_context_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"context.*0"):
        resolve(ARCHITECTURE, RunRequest(settings=("model.context=0",)), 4096)


@pytest.mark.parametrize("setting", ["recipe.lr=0.1", "recipe.precision=bf16"])
def test_a_setting_without_effect_is_refused(setting):
    counted = loader.architecture("ngram")
    with pytest.raises(ValueError, match=r"recipe\.\w+ has no effect on ngram.*recipe.batch_rows"):
        resolve(counted, RunRequest(settings=(setting,)), 4096)
    run = resolve(counted, RunRequest(settings=("recipe.batch_rows=8",)), 4096)
    assert run.recipe.batch_rows == 8


@pytest.mark.parametrize("arch", ["transformer", "lstm", "d3pm"])
def test_tables_come_beside_a_size_and_change_nothing_else(arch):
    architecture = loader.architecture(arch)
    plain: Any
    tables: Any
    plain, tables = (
        resolve(architecture, RunRequest(tables=size), 4096).model for size in ("0", "8M")
    )
    assert num_params_tables(tables) == pytest.approx(8e6, rel=0.001)
    assert tables.num_params - num_params_tables(tables) == plain.num_params
    other = {f.name for f in fields(plain) if getattr(plain, f.name) != getattr(tables, f.name)}
    assert other == set(tables.SIZED_TABLES)
    assert len({getattr(tables, name) for name in other}) == 1  # equally many rows in each
    preset = RunRequest(params="tiny", tables="8M")
    if arch == "transformer":
        assert num_params_tables(resolve(architecture, preset, 4096).model) > 7.9e6


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (RunRequest(tables="much"), "--tables much: give 0, or a number above it such as 8M"),
        (RunRequest(tables="-1"), "--tables -1: give 0, or a number"),
        (RunRequest(tables="5000"), "--tables 5000: .* 0 is allowed, and 262144 or more"),
        (RunRequest(tables="8M", settings=("model.input_bigrams=9",)), "set with --set, too"),
        (RunRequest(arch="ngram", tables="8M"), "'ngram' has no tables"),
    ],
)
def test_tables_that_cannot_be_are_refused(request_, says):
    with pytest.raises(ValueError, match=says):
        resolve(loader.architecture(request_.arch), request_, 4096)


def test_the_vocabulary_has_a_flag_of_its_own():
    for setting in ("model.vocab=300", "data.vocab=300"):
        with pytest.raises(ValueError, match="--vocab"):
            resolve(ARCHITECTURE, RunRequest(settings=(setting,)), 4096)


def test_the_data_have_flags_of_their_own():
    for setting in ("data.path=x", "data.text_field=x"):
        with pytest.raises(ValueError, match="--data and --text-field, not with --set"):
            resolve(ARCHITECTURE, RunRequest(settings=(setting,)), 4096)


def test_settings_can_be_rebuilt_from_the_record_which_names_no_path():
    request = RunRequest(settings=("model.mlp=gelu",), data=Data(path="/home/me/secret"))
    run = resolve(ARCHITECTURE, request, 4096)
    plain = run.as_dict()
    assert "secret" not in str(plain) and plain["data"]["eval_docs"] == 2000
    assert ARCHITECTURE.Config(**plain["model"]) == run.model
    assert run.recipe == Recipe(**plain["recipe"])


REQUESTS = [
    RunRequest(),
    RunRequest(
        arch="ngram",
        params="60K",
        budget_s=0.1,
        backend="numpy",
        seed=3,
        data=Data(vocab=300, eval_docs=None),
        settings=("model.context=32", "recipe.batch_rows=4"),
        tune="quick",
    ),
    RunRequest(recipe="goedecke", budget_s=7 / 3, data=Data(eval_docs=20)),
    RunRequest(params="1M", tables="16M"),
]


IDS = ["default", "all changed", "odd budget", "tables"]


@pytest.mark.parametrize("request_", REQUESTS, ids=IDS)
def test_the_command_line_of_a_request_means_the_request(request_):
    _, bound, _ = app.parse_args(request_.argv(), exit_on_error=False, print_error=False)
    assert bound.arguments["options"].request() == request_


def test_the_command_line_names_no_path_of_this_machine(tmp_path):
    data = Data(path=str(tmp_path / "data"))
    argv = RunRequest(arch=str(tmp_path / "mine"), data=data, out=tmp_path).argv()
    assert str(tmp_path) not in " ".join(argv)
    assert argv[argv.index("--arch") + 1] == "./mine"
