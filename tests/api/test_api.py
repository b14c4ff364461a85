"""The Python interface: the same races, and their results as values."""

import importlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import speedrun
from speedrun import duel, sweep
from speedrun.api.options import RaceOptions, request_of
from speedrun.cli.app import app
from speedrun.training.request import RunRequest

ROOT = Path(__file__).resolve().parents[2]
QUICK: Any = {"arch": "ngram", "params": "60K", "minutes": 0.05, "vocab": 300, "eval_docs": 20}


@pytest.fixture(scope="module")
def raced(tmp_path_factory, stories):
    """A run of a counted model, and the names of the callbacks that were called."""
    told: list[str] = []

    class Noting(speedrun.Callbacks):
        def phase(self, text):
            told.append("phase")

        def tick(self, tick):
            told.append("tick")

    out = tmp_path_factory.mktemp("runs")
    run = speedrun.race(callbacks=[Noting()], show=False, data=stories, out=out, **QUICK)
    return run, told


def test_it_is_imported_in_no_time_and_without_a_framework():
    """From a cold interpreter, the best of five: 0.3 s are promised."""
    code = (
        "import sys, time; start = time.perf_counter()\n"
        "from speedrun import race, duel, sweep, load, leaderboard\n"
        "print(time.perf_counter() - start)\n"
        "heavy = {'torch', 'mlx', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    command = [sys.executable, "-c", code]
    times = [
        float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.3


def test_a_race_gives_its_run(raced, capsys):
    run, told = raced
    assert run.record.status == "complete" and 0 < run.bits_per_byte < 8
    assert {"phase", "tick"} <= set(told)
    assert capsys.readouterr().out == ""
    lengths = {len(column) for column in run.curve.values()}
    assert len(lengths) == 1 and {"share", "spent_s", "loss_nats"} <= run.curve.keys()
    assert run.curve["share"] == sorted(run.curve["share"])
    assert run.sample("One day", max_tokens=5).startswith("One day")
    figure = run.plot(run)
    assert [line.get_label() for line in figure.axes[0].lines] == [run.title] * 2
    assert "bits per byte" in repr(run)


def test_a_run_is_loaded_from_its_folder(raced, tmp_path):
    run, _ = raced
    assert speedrun.load(run.folder) == run
    with pytest.raises(ValueError, match=r"no record\.json there"):
        speedrun.load(tmp_path)


def test_a_folder_of_runs_is_a_board(raced):
    run, _ = raced
    (board,) = speedrun.leaderboard(run.folder.parent)
    assert f"{run.bits_per_byte:.4f}"[:5] in str(board)


def test_a_thread_races_too(stories, tmp_path):
    found = []
    options = {**QUICK, "data": stories, "out": tmp_path}
    thread = threading.Thread(target=lambda: found.append(speedrun.race(show=False, **options)))
    thread.start()
    thread.join()
    assert found[0].record.status == "complete"


def test_options_mean_what_they_mean_on_the_command_line():
    options: RaceOptions = {
        "minutes": 0.5,
        "arch": "lstm",
        "params": 250_000,
        "tables": "8M",
        "seed": 3,
        "set": {"recipe.lr": 0.002, "recipe.compile": False},
        "eval_docs": "all",
        "data": "storybook",
        "out": "there",
    }
    words = "--minutes 0.5 --arch lstm --params 250000 --tables 8M --seed 3 --eval-docs all"
    words += " --set recipe.lr=0.002 --set recipe.compile=false --data storybook --out there"
    given: Any
    for given, line in ((options, words), ({}, ""), ({"params": "auto"}, "--params auto")):
        _, bound, _ = app.parse_args(line.split(), exit_on_error=False, print_error=False)
        known = bound.arguments.get("options")
        wanted = known.request() if known else RunRequest(tune="quick")
        assert request_of(**given) == wanted


def test_settings_may_be_text_as_on_the_command_line():
    given: Any = {"recipe.lr": 0.002, "model.depth": 4}
    assert request_of(set=given) == request_of(set=["recipe.lr=0.002", "model.depth=4"])


def test_wrong_options_are_named():
    with pytest.raises(TypeError, match=r"unknown option 'minuts'.*minutes"):
        speedrun.race(minuts=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"unknown option 'pair'.*pairs"):
        duel(pair=5)
    with pytest.raises(ValueError, match="--minutes 0: give a number above 0"):
        speedrun.race(minutes=0)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        speedrun.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"seed": "1"}, "--seed '1': give a whole number"),
        ({"seed": 1.5}, "--seed 1.5: give a whole number"),
        ({"tune": False}, "--tune False: allowed are off, quick, full"),
        ({"keep": "bets"}, "--keep 'bets': allowed are last, best"),
        ({"set": "recipe.lr=1"}, "set='recipe.lr=1': give"),
    ],
)
def test_wrong_values_are_refused_and_not_taken_for_another(wrong, why):
    with pytest.raises(ValueError, match=why):
        request_of(**wrong)


def test_a_sweep_takes_one_value_or_text_as_on_the_command_line(monkeypatch):
    class Planned(Exception):
        """The grid is made."""

    def race_all(grid, *args, **options):
        raise Planned(grid)

    running = importlib.import_module("speedrun.sweep.running")
    monkeypatch.setattr(running, "race_all", race_all)
    one: Any = {"arch": "lstm", "params": "250K,500K", "minutes": 0.5, "vary": {"recipe.lr": 1}}
    many: Any = {"arch": ["lstm"], "params": [250_000, "500K"], "minutes": [0.5]}
    with pytest.raises(Planned) as by_one:
        sweep(**one)
    with pytest.raises(Planned) as by_many:
        sweep(**many, vary={"recipe.lr": [1]})
    assert by_one.value.args == by_many.value.args
    vary: Any = "recipe.lr=1"
    with pytest.raises(ValueError, match=r"vary='recipe\.lr=1': give"):
        sweep(vary=vary)


def test_a_duel_and_a_sweep_are_functions_and_packages(raced, stories, tmp_path, monkeypatch):
    assert importlib.import_module("speedrun.duel.verdict").MIN_PAIRS
    assert importlib.import_module("speedrun.sweep.grid").Grid
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="A and B are the same"):
        duel(arch="ngram", params="60K", show=False)
    options: Any = {"arch": ["ngram"], "params": ["60K", "90K"], "minutes": [0.05], "seeds": 1}
    shared: Any = {"data": stories, "vocab": 300, "eval_docs": 20, "tune": "off", "out": "here"}
    found = sweep(show=False, **options, **shared)
    assert found.num_failed == 0 and (tmp_path / "here" / "report.md").exists()
    assert found.cells["minutes"] == [0.05, 0.05] and len(found.runs) == 2
    assert found.cells["tables"] == [0, 0] and found.cells["settings"] == ["", ""]
