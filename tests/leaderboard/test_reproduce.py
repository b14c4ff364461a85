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
from speedrun.records import schema
from speedrun.training.request import RunRequest, resolve

REAL = sorted(p for p in page_store.REAL.glob("*.json") if len(p.stem) == 64)
ARGV = ["--minutes", "5", "--arch", "transformer", "--params", "1M", "--backend", "auto"]
ARGV += ["--recipe", "default", "--seed", "0", "--vocab", "4096", "--eval-docs", "2000"]


@pytest.fixture
def typed(monkeypatch):
    """`typed(line)` is the request of this shell line."""

    class Caught(Exception):
        pass

    def typed(line: str) -> RunRequest:
        def race(request, *args, **kwargs):
            found.append(request)
            raise Caught

        found: list[RunRequest] = []
        monkeypatch.setattr(commands, "race", race)
        words = shlex.split(line.replace("\\\n", " "))
        assert words[:2] == ["python", "run.py"]
        with pytest.raises(Caught):
            app.app(words[2:], exit_on_error=False, print_error=False)
        return found[0]

    return typed


def transformer(argv=(), **changes):
    """A record of a run that was requested this way."""
    data = Data(**{name: changes.pop(name) for name in ("vocab", "eval_docs") if name in changes})
    request = RunRequest(data=data, **{"params": "1M", **changes})
    run = resolve(loader.architecture("transformer"), request, data.vocab)
    made = page_store.content(config=json.loads(json.dumps(run.as_dict())))
    made |= {"argv": list(argv), "num_params": run.model.num_params}
    made["num_params_non_embedding"] = run.model.num_params_non_embedding
    made["tokenizer"]["vocab"] = run.model.vocab
    return made


def assert_same(record, line, typed):
    request = typed(line)
    run = resolve(loader.architecture(request.arch), request, request.data.vocab)
    assert json.loads(json.dumps(run.as_dict())) == record.config
    assert request.backend == record.device


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem[:8])
def test_older_records_of_the_project_are_spelled_out(path, typed):
    record = schema.load(path)
    found = reproduce.command(record)
    assert found.is_checked and found.data == "path/to/tinystories"
    assert_same(record, found.script([(None, record.seed)]), typed)


@pytest.mark.parametrize(
    "options",
    [
        {"settings": ("recipe.lr=0.0021", "recipe.compile=false", "model.depth=4")},
        {"recipe": "goedecke", "settings": ("recipe.batch_rows=8",)},
        {"params": "700K", "vocab": 1024, "eval_docs": None, "settings": ("data.stride=64",)},
        {"budget_s": 3.7},
    ],
    ids=str,
)
def test_a_spelled_out_config_is_the_record_s(options, typed):
    made = transformer(**options)
    record = schema.seal(made | {"budget_s": made["config"]["budget_s"]})
    found = reproduce.command(record)
    assert found.is_checked
    assert_same(record, found.script([(None, 0)]), typed)


def test_the_record_s_own_command_line_is_preferred(typed):
    argv = [*ARGV, "--set", "recipe.lr=0.0021"]
    record = schema.seal(transformer(argv, settings=("recipe.lr=0.0021",)))
    found = reproduce.command(record)
    assert found.is_checked
    assert [value for option, value in found.options if option == "--set"] == ["recipe.lr=0.0021"]
    assert_same(record, found.script([(None, 0)]), typed)


@pytest.mark.parametrize(
    "argv",
    [
        [*ARGV, "--set", "recipe.lr=0.9"],  # of another config
        [*ARGV[:-1], "$(rm -rf ~)"],
        ARGV[:4],
        ["--arch", "../elsewhere", *ARGV[4:]],
        ["--minutes"],
    ],
    ids=str,
)
def test_a_command_line_that_is_not_the_config_s_is_not_shown(argv):
    record = schema.seal(transformer(argv))
    assert len(reproduce.command(record).options) > 20  # spelled out
    assert reproduce.command(record).is_checked


def test_options_that_say_nothing_of_the_config_are_left_out():
    record = schema.seal(transformer(["--out", "/etc", *ARGV, "--data", "/secret"]))
    line = reproduce.command(record).script([(None, 0)])
    assert "/etc" not in line and "/secret" not in line and "path/to/tinystories" in line


def test_an_architecture_that_is_not_installed_is_quoted_and_unchecked(typed):
    found = reproduce.command(schema.seal(page_store.content(arch="mine; rm -rf ~", seed=0)))
    request = typed(found.script([(None, 0)]))
    assert not found.is_checked
    assert request.arch == "./mine; rm -rf ~"  # quoted: one word
    assert {"model.width=128", "recipe.compile=true", "data.stride=128"} <= set(request.settings)


def test_a_path_for_a_name_is_never_imported(tmp_path):
    (tmp_path / "__init__.py").write_text("raise SystemExit('loaded')", encoding="utf-8")
    argv = [str(tmp_path) if word == "transformer" else word for word in ARGV]
    made = page_store.content(arch=str(tmp_path)) | {"argv": argv}
    assert not reproduce.command(schema.seal(made)).is_checked


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
def test_an_invalid_config_is_refused_in_words(config):
    made = page_store.content(config={"arch": "transformer", **config})
    with pytest.raises(ValueError, match="not that of a race"):
        reproduce.command(schema.seal(made))


@pytest.mark.parametrize("config", [{"width": 10**30}, {"depth": 10**9}, {"width": "wide"}])
def test_vast_and_wrong_values_end_soon(config, monkeypatch):
    monkeypatch.setattr(reproduce, "_TIMEOUT_S", 0.2)
    made = transformer()
    made["config"]["model"] |= config
    assert not reproduce.command(schema.seal(made)).is_checked


def test_commits_are_checked_out_once_and_seeds_run_together():
    found = reproduce.command(schema.seal(transformer(ARGV)))
    runs = [("a" * 40, 2), ("a" * 40, 0), ("a" * 40, 1), ("--force", 5), ("a" * 40, 7)]
    lines = found.script(runs).splitlines()
    assert [line for line in lines if line.startswith("git")] == [f"git checkout {'a' * 40}"]
    script = " ".join(lines)
    assert "--force" not in script and "--seed 0 --seeds 3" in script
    assert script.count("--seed 7") == script.count("--seed 5") == 1
