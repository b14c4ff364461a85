"""Commands, their help, and mistakes that end in one line."""

import os
import re
import subprocess
import sys

import pytest
from helpers.command_line import FAST, ROOT, TINY, command, done_well, refused

from speedrun.cli import app
from speedrun.cli.sweep import Races

MISTAKES = [
    ("--arch transfomer", "did you mean transformer"),
    ("--device gpu", "unknown device"),
    ("--backend gpu", "unknown device"),
    ("--recipe defualt", "did you mean default"),
    ("--set recipe.lrr=1", "did you mean recipe.lr"),
    ("--set recipe.lr=fast", "recipe.lr=fast: expected a valid number"),
    ("--params 1K", "ask for"),
    ("--params lots", "2M"),
    ("--minutes soon", "above 0"),
    ("race --minutes 0", "above 0"),
    ("--seeds 0", "1 to 100"),
    ("--seeds 1.5", "not a whole number"),
    ("--seed -1", "0 or more"),
    ("--vocab 10", "257"),
    ("--eval-docs some", "'all'"),
    ("--tune fast", "quick"),
    ("--data no/such/place", "no such file"),
    (f"--data {__file__}", "allowed are"),
    ("--minuets 5", "Did you mean --minutes? (see --help)"),
    ("sample no/such/run", "is neither a folder nor an id"),
    ("sample . --max-tokens 2.5", "not a whole number"),
    ("leaderboard --top 2.5", "not a whole number"),
    ("bench --repeats 2.5", "not a whole number"),
    ("swep", "unknown command 'swep': did you mean sweep?"),
    ("sweep --seeds 2.5", "not a whole number"),
    ("sweep --seeds 0", "1 to 100"),
    ("sweep --params 40K,20K", "larger than the one before"),
    ("sweep --params 40K,40K", "larger than the one before"),
    ("sweep --params 40K,many", "give a number"),
    ("sweep --params 1K,2M", "ask for"),
    ("sweep --minutes 2,1", "larger than the one before"),
    ("sweep --minutes 0", "above 0"),
    ("sweep --arch transfomer", "did you mean transformer"),
    ("sweep --arch lstm,lstm", "different architectures"),
    ("sweep --arch ,", "different architectures"),
    ("sweep --recipe defualt", "did you mean default"),
    ("sweep --device gpu", "unknown device"),
    ("sweep --set recipe.lrr=1", "did you mean recipe.lr"),
    ("sweep --data no/such/place", "no such file"),
    ("sweep --eval-docs some", "'all'"),
    ("sweep --report no/such/folder", "no such directory"),
    ("sweep --report .", "no ranked run there"),
    ("sweep --report . --hold-out-minutes soon", "--hold-out-minutes"),
    ("sweep --on slurm", "allowed are local and ray"),
    ("sweep --address 127.0.0.1:6379", "only with --on ray"),
]


@pytest.mark.parametrize(("words", "says"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_two(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command(*words.split())
    assert done.code == 2
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and says in done.err
    assert not list(tmp_path.rglob("*/*")), "a mistake must leave nothing behind"


def test_an_output_folder_that_cannot_be_is_found_before_the_race(stories, tmp_path):
    (tmp_path / "file").write_text("")
    line = refused("--out", tmp_path / "file", "--data", stories, *TINY, *FAST)
    assert "cannot write there" in line


def test_without_ray_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert ".[ray]" in refused("sweep", "--on", "ray", "--out", tmp_path / "sweep")
    assert not list(tmp_path.iterdir())


def test_options_of_a_sweep_reach_every_race():
    races = Races(device="cpu", recipe="goedecke", set_=("recipe.lr=1",), tune="off", vocab=300)
    base = races.grid().base
    assert (base.backend, base.recipe, base.settings) == ("cpu", "goedecke", ("recipe.lr=1",))
    assert (base.tune, base.data.vocab, base.data.eval_docs) == ("off", 300, 2000)
    assert str(base.out) == "sweeps/transformer"


@pytest.mark.parametrize("words", [["--help"], ["help"]])
def test_help_names_every_option_and_command(words):
    shown = done_well(*words)
    options = ("--minutes", "--arch", "--params", "--set", "--device", "--backend", "--json")
    for word in (*options, "race", "sample", "doctor", "sweep", "torchrun", "Examples:"):
        assert word in shown
    for group in ("Run", "Model", "Data", "Output"):
        assert re.search(f"─ {group} ─", shown), group


def test_help_breaks_its_lines_where_the_terminal_ends():
    shown = done_well("--help")
    (line,) = [line for line in shown.splitlines() if "Default: 10" in line]
    assert len(line.rstrip(" │")) > 70, "broken as in the docstring"


@pytest.mark.parametrize("words", [["sample", "--help"], ["help", "sample"]])
def test_help_of_a_command_has_an_example(words):
    shown = done_well(*words)
    assert "--temperature" in shown and "python run.py sample runs/RUN" in shown
    assert "torchrun" not in shown


@pytest.mark.parametrize(
    ("started", "name"),
    [
        ("/a/run.py", "python run.py"),
        ("/a/speedrun/__main__.py", "python -m speedrun"),
        ("/usr/bin/speedrun", "speedrun"),
    ],
)
def test_usage_names_the_program_as_it_was_called(started, name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [started])
    assert app._called_as()[0] == name


def test_help_loads_nothing_heavy_and_python_m_works():
    command = [sys.executable, "-X", "importtime", "-m", "speedrun", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("Usage: python -m speedrun COMMAND")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {"torch", "mlx", "datasets", "pydantic", "scipy", "matplotlib", "numpy"}
    assert "speedrun.cli.app" in loaded and not heavy & loaded


@pytest.mark.slow
def test_a_counted_race_loads_no_framework_of_networks(stories, tmp_path):
    words = ["--arch", "ngram", "--minutes", "0.02", "--data", str(stories), "--out", str(tmp_path)]
    code = (
        "import sys; from helpers.command_line import command\n"
        f"code = command(*{words + TINY}).code\n"
        "print(code, {'torch', 'mlx', 'scipy', 'matplotlib'} & sys.modules.keys())"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    shown = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT, env=env)
    assert shown == "0 set()\n"


@pytest.mark.slow
def test_help_of_no_command_loads_what_only_training_needs():
    commands = ("submit", "verify", "leaderboard", "compare", "sweep", "sample", "bench", "doctor")
    commands += ("publish",)
    code = (
        "import contextlib, sys; from speedrun.cli.app import main\n"
        f"for command in {commands}:\n"
        "    with contextlib.suppress(SystemExit): main([command, '--help'])\n"
        "print(sorted({'torch', 'mlx', 'datasets', 'scipy', 'matplotlib'} & sys.modules.keys()))"
    )
    shown = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT, timeout=60)
    assert shown.endswith("\n[]\n"), shown
