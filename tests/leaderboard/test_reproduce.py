"""The command on an entry's page means the record: typed again, it resolves to its config."""

import json
import shlex
import threading
from typing import Any

import pytest
from helpers.made_records import made

from leaderboard import reproduce
from speedrun.cli import app
from speedrun.cli import race as commands
from speedrun.config import Data
from speedrun.models import loader
from speedrun.records.files import OWN_RECORDS
from speedrun.records.schema import load
from speedrun.training.request import RunRequest, resolve

OURS = [load(path) for path in sorted(OWN_RECORDS.glob("*.json")) if len(path.stem) == 64]
REAL = {f"{record.arch} {record.config['recipe_name']}": record for record in OURS}
ARGV = ["--minutes", "5", "--arch", "transformer", "--params", "1M", "--backend", "auto"]
ARGV += ["--recipe", "default", "--seed", "0", "--vocab", "4096", "--eval-docs", "2000"]


@pytest.fixture
def typed(monkeypatch):
    """`typed(line)` is the request of this shell line."""

    class Caught(Exception):
        pass

    def typed(line: str) -> RunRequest:
        def race(request, *args, **kwargs):
            raise Caught(request)

        monkeypatch.setattr(commands, "race", race)
        words = shlex.split(line.replace("\\\n", " "))
        assert words[:2] == ["python", "run.py"]
        with pytest.raises(Caught) as caught:
            app.app(words[2:], exit_on_error=False, print_error=False)
        return caught.value.args[0]

    return typed


def resolved(request: RunRequest) -> tuple[dict[str, Any], int]:
    """The config that a request means, and its number of parameters."""
    run = resolve(loader.architecture(request.arch), request, request.data.vocab)
    return json.loads(json.dumps(run.as_dict())), run.model.num_params


def transformer(argv=(), data=None, changes=None, **options):
    """A record of a run that was requested this way."""
    config, size = resolved(RunRequest(data=data or Data(), **{"params": "1M", **options}))
    headline = {"budget_s": config["budget_s"], "tokenizer.vocab": config["model"]["vocab"]}
    headline |= {"config": config, "num_params": size, "num_params_non_embedding": 0}
    return made(changes={**headline, "argv": list(argv), **(changes or {})})


def assert_same(record, typed):
    found = reproduce.command(record)
    request = typed(found.script([(None, record.seed)]))
    assert found.is_checked and resolved(request)[0] == record.config
    assert request.backend == record.device


@pytest.mark.parametrize("record", REAL.values(), ids=REAL)
def test_older_records_of_the_project_are_spelled_out(record, typed):
    assert reproduce.command(record).data == "path/to/tinystories"
    assert_same(record, typed)


def test_the_storybook_is_raced_again_on_purpose(typed):
    record = transformer(changes={"data.source": "storybook", "data.name": "storybook"})
    line = reproduce.command(record).script([(None, record.seed)])
    assert typed(line).data.path == "storybook"


@pytest.mark.parametrize(
    "options",
    [
        {"settings": ("recipe.lr=0.0021", "recipe.compile=false", "model.depth=4")},
        {"recipe": "goedecke", "settings": ("recipe.batch_rows=8",)},
        {"params": "700K", "data": Data(vocab=999, eval_docs=None)},
        {"budget_s": 3.7, "settings": ("data.stride=128",)},
    ],
    ids=str,
)
def test_a_spelled_out_config_is_the_record_s(options, typed):
    assert_same(transformer(**options), typed)


def test_the_record_s_own_command_line_is_preferred(typed):
    argv = ["--out", "/etc", *ARGV, "--set", "recipe.lr=0.0021", "--data", "/secret"]
    record = transformer(argv, settings=("recipe.lr=0.0021",))
    found = reproduce.command(record)
    assert [value for option, value in found.options if option == "--set"] == ["recipe.lr=0.0021"]
    line = found.script([(None, 0)])  # without what says nothing of the config
    assert "/etc" not in line and "/secret" not in line and "path/to/tinystories" in line
    assert_same(record, typed)


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
    found = reproduce.command(transformer(argv))
    assert found.is_checked and len(found.options) > 20  # spelled out


def test_an_architecture_that_is_not_installed_is_quoted_and_unchecked(typed):
    found = reproduce.command(made(changes={"arch": "mine; rm -rf ~"}))
    request = typed(found.script([(None, 0)]))
    assert not found.is_checked
    assert request.arch == "./mine; rm -rf ~"  # quoted: one word
    assert {"model.width=128", "recipe.compile=true", "data.stride=128"} <= set(request.settings)


def test_a_path_for_a_name_is_never_imported(tmp_path):
    (tmp_path / "__init__.py").write_text("raise SystemExit('loaded')", encoding="utf-8")
    argv = [str(tmp_path) if word == "transformer" else word for word in ARGV]
    record = made(changes={"arch": str(tmp_path), "argv": argv})
    assert not reproduce.command(record).is_checked


@pytest.mark.parametrize(
    "config",
    [
        {"arch": "transformer"},
        {"model": {"vocab": 4096, "width": {"a": 1}}, "recipe": {}, "data": {}},
        {"model": {}, "recipe": {}, "data": {"eval_docs": "all of them"}},
    ],
)
def test_an_invalid_config_is_refused_in_words(config):
    record = made(changes={"config": config})
    with pytest.raises(ValueError, match="not that of a race"):
        reproduce.command(record)


@pytest.mark.parametrize(("name", "value"), [("width", 10**30), ("depth", 10**9), ("width", "x")])
def test_vast_and_wrong_values_are_no_command(name, value):
    record = transformer(changes={f"config.model.{name}": value})
    assert not reproduce.command(record).is_checked


def test_a_config_that_takes_forever_is_left(monkeypatch):
    record, done, waited = transformer(), threading.Event(), []
    monkeypatch.setattr(reproduce, "_TIMEOUT_S", 0.05)
    monkeypatch.setattr(reproduce, "resolve", lambda *_: waited.append(done.wait(20)))
    assert not reproduce.command(record).is_checked and not waited
    done.set()  # a thread cannot be ended


def test_commits_are_checked_out_once_and_seeds_run_together():
    found = reproduce.command(transformer(ARGV))
    runs = [("a" * 40, 2), ("a" * 40, 0), ("a" * 40, 1), ("--force", 5), ("a" * 40, 7)]
    lines = found.script(runs).splitlines()
    assert [line for line in lines if line.startswith("git")] == [f"git checkout {'a' * 40}"]
    script = " ".join(lines)
    assert "--force" not in script and "--seed 0 --seeds 3" in script
    assert script.count("--seed 7") == script.count("--seed 5") == 1
