"""The command on an entry's page means the record: typed again, it resolves to its config."""

import json
import shlex

import pytest
from helpers import page_store

from leaderboard import reproduce
from speedrun.cli import app
from speedrun.cli import race as commands
from speedrun.config import Data
from speedrun.models import loader
from speedrun.records import schema as records
from speedrun.records.schema import seal
from speedrun.training.request import RunRequest, resolve

REAL = sorted(p for p in page_store.REAL.glob("*.json") if len(p.stem) == 64)


@pytest.fixture
def typed(monkeypatch):
    """`typed(line)` is what a race would be asked for by this shell line."""

    class Caught(Exception):
        pass

    def typed(line: str) -> RunRequest:
        def race(request, *args, **kwargs):
            found.append(request)
            raise Caught

        found: list[RunRequest] = []
        monkeypatch.setattr(commands, "race", race)
        words = shlex.split(line)
        assert words[:2] == ["python", "run.py"]
        with pytest.raises(Caught):
            app.app(words[2:], exit_on_error=False, print_error=False)
        return found[0]

    return typed


def transformer(params="1M", recipe="default", settings=(), **data):
    """A record of a race that was asked for this way."""
    architecture = loader.architecture("transformer")
    request = RunRequest(params=params, recipe=recipe, settings=tuple(settings), data=Data(**data))
    run = resolve(architecture, request, request.data.vocab)
    made = page_store.content(config=json.loads(json.dumps(run.as_dict())))
    made["num_params"] = run.model.num_params
    made["num_params_non_embedding"] = run.model.num_params_non_embedding
    made["tokenizer"]["vocab"] = run.model.vocab
    return seal(made)


def same(record, line, typed):
    request = typed(line.replace("\\\n", " "))
    run = resolve(loader.architecture(request.arch), request, request.data.vocab)
    assert json.loads(json.dumps(run.as_dict())) == record.config
    assert request.backend == record.device


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem[:8])
def test_the_project_s_own_records(path, typed):
    record = records.load(path)
    flags = reproduce.flags(record)
    assert flags.is_checked
    assert flags.data == "path/to/tinystories"  # a local copy is other data than the hub's
    same(record, reproduce.script(flags, [(None, record.seed)]), typed)


def test_a_size_that_says_it_all_is_not_spelt_out():
    assert reproduce.flags(transformer()).settings == ()
    assert reproduce.flags(transformer()).params == "1M"


@pytest.mark.parametrize(
    "options",
    [
        {"settings": ["recipe.lr=0.0021", "recipe.compile=false"]},
        {"settings": ["model.depth=4", "recipe.schedule=cosine"]},
        {"recipe": "goedecke", "settings": ["recipe.batch_rows=8"]},
        {"settings": ["data.stride=64"], "eval_docs": None},
        {"params": "700K", "vocab": 1024, "eval_docs": 4456},
        {"params": "1234567"},
    ],
    ids=str,
)
def test_settings_are_found_again(options, typed):
    record = transformer(**options)
    flags = reproduce.flags(record)
    assert flags.is_checked
    same(record, reproduce.script(flags, [(None, 0)]), typed)


def test_an_architecture_that_is_not_installed_has_everything_spelt_out(typed):
    made = page_store.content(arch="mine; rm -rf ~", seed=0)
    flags = reproduce.flags(seal(made))
    request = typed(reproduce.script(flags, [(None, 0)]).replace("\\\n", " "))
    assert not flags.is_checked
    assert request.arch == "./mine; rm -rf ~"  # quoted: one word
    assert {"model.width=128", "recipe.compile=true", "data.stride=128"} <= set(request.settings)


def test_a_path_for_a_name_is_never_run(tmp_path):
    """A record may call its architecture what it likes; that must not load code."""
    (tmp_path / "__init__.py").write_text("raise SystemExit('loaded')", encoding="utf-8")
    flags = reproduce.flags(seal(page_store.content(arch=str(tmp_path))))
    assert not flags.is_checked


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model": 3, "recipe": [], "data": None},
        {"model": {"vocab": 4096, "width": {"a": 1}}, "recipe": {}, "data": {}},
        {"model": {}, "recipe": {}, "data": {"eval_docs": "all of them"}},
    ],
    ids=str,
)
def test_an_odd_config_is_refused_in_words(config):
    with pytest.raises(ValueError, match="not that of a race"):
        reproduce.flags(seal(page_store.content(config={"arch": "transformer", **config})))


@pytest.mark.parametrize(
    "config", [{"width": 10**30}, {"depth": 10**9}, {"width": "wide"}], ids=str
)
def test_vast_and_wrong_values_end_soon(config):
    made = transformer().content()
    made["config"]["model"] |= config
    assert not reproduce.flags(seal(made)).is_checked


def test_commits_are_checked_out_once_and_seeds_run_together():
    flags = reproduce.flags(transformer())
    runs = [("a" * 40, 2), ("a" * 40, 0), ("a" * 40, 1), ("--force", 5), ("a" * 40, 7)]
    lines = reproduce.script(flags, runs).splitlines()
    assert [line for line in lines if line.startswith("git")] == [f"git checkout {'a' * 40}"]
    assert "--force" not in " ".join(lines)
    assert " --seed 0 --seeds 3" in " ".join(lines)
    assert (
        sum("--seed 7" in line for line in lines) == sum("--seed 5" in line for line in lines) == 1
    )
