"""End to end through the real command line, on tiny data, in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.numpy
from helpers.command_line import FAST, ROOT, TINY, one_line_error, run

from speedrun.autotune.tune import DISTURBED
from speedrun.cli import app
from speedrun.records.schema import load
from speedrun.records.summary import unranked_because


@pytest.fixture(scope="module")
def raced(stories, tmp_path_factory):
    """One race of two seeds, with its output."""
    out = tmp_path_factory.mktemp("runs")
    cache = tmp_path_factory.mktemp("cache")
    done = run(
        "--minutes",
        "0.05",
        "--seeds",
        "2",
        "--data",
        str(stories),
        "--out",
        str(out),
        *TINY,
        *FAST,
        SPEEDRUN_CACHE=str(cache),
        HF_HUB_OFFLINE="1",
    )
    assert done.returncode == 0, done.stderr
    return done, sorted(folder for folder in out.iterdir() if not folder.name.startswith("."))


@pytest.fixture(scope="module")
def counted(stories, tmp_path_factory) -> tuple[Path, str]:
    """One race of the n-grams, with its output."""
    out = tmp_path_factory.mktemp("counted")
    done = run(
        "--arch",
        "ngram",
        "--minutes",
        "0.2",
        "--data",
        str(stories),
        "--out",
        str(out),
        *TINY,
        SPEEDRUN_CACHE=str(tmp_path_factory.mktemp("cache")),
        HF_HUB_OFFLINE="1",
    )
    assert done.returncode == 0, done.stderr
    return next(folder for folder in out.iterdir() if not folder.name.startswith(".")), done.stdout


def test_a_counted_model_reads_everything_once_and_ranks(counted):
    folder, output = counted
    record = load(folder / "record.json")
    assert (record.status, record.backend, record.device) == ("complete", "numpy", "numpy")
    assert unranked_because(record) is None
    assert record.train.epochs is not None and 1.0 <= record.train.epochs < 1.5
    assert any("every document was read once" in event.what for event in record.train.events)
    assert record.clock.train_s < record.budget_s / 2
    arrays = safetensors.numpy.load_file(folder / "model.safetensors")
    assert record.num_params == sum(array.size for array in arrays.values()) <= 60_000
    assert record.score is not None and record.score.bits_per_byte < 2
    assert "first run of its track" in output


def test_a_counted_model_comes_back_from_its_folder(counted):
    folder, _ = counted
    done = run("sample", str(folder), "--prompt", "Tom saw")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Tom saw")
    assert "it runs here on: numpy" in one_line_error(
        run("sample", str(folder), "--backend", "cpu")
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--backend", "cpu"), "it runs here on: numpy"),
        (("--set", "model.order=9"), "model.order=9: allowed are 2 to 6"),
        (("--set", "recipe.lr=0.1"), "recipe.lr has no effect on ngram"),
        (("--params", "5K"), "--params 5000: at least"),
    ],
)
def test_what_counting_cannot_do_is_one_line(stories, tmp_path, args, says):
    done = run(
        "--arch",
        "ngram",
        "--data",
        str(stories),
        "--out",
        str(tmp_path / "runs"),
        *args,
        HF_HUB_OFFLINE="1",
    )
    assert says in one_line_error(done)


def test_a_race_leaves_whole_runs(raced):
    _, folders = raced
    assert [f.name[-1] for f in folders] == ["0", "1"]
    for folder in folders:
        names = {file.name for file in folder.iterdir()}
        assert names == {
            "record.json",
            "model.safetensors",
            "tokenizer.json",
            "log.jsonl",
            "samples.txt",
        }
        record = load(folder / "record.json")
        assert record.status == "complete"
        assert record.clock.overshoot_s <= 0.005 * record.budget_s
        assert record.clock.train_s + record.clock.data_wait_s <= record.budget_s * 1.005
        assert record.score is not None and record.score.bits_per_byte < 6
        log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert log[-1]["num_steps"] == record.train.num_steps
        assert (folder / "samples.txt").read_text().startswith("Once upon a time")


def test_output_to_a_pipe_is_plain_lines(raced):
    done, _ = raced
    assert "\x1b" not in done.stdout and "\r" not in done.stdout
    for expected in ("bits per byte", "perplexity", "tokens/s", "mean ± sd", "Place"):
        assert expected in done.stdout
    # Which tenths are shown depends on how busy the machine is; that some are does not.
    assert re.search(r"^ ?[1-9]0% .* left", done.stdout, re.MULTILINE)


def test_sample_continues_the_prompt_and_depends_on_its_seed(raced):
    _, folders = raced
    told = [
        run("sample", str(folders[0]), "--prompt", "Tom saw", "--seed", seed, "--max-tokens", "20")
        for seed in ("1", "1", "2")
    ]
    assert all(t.returncode == 0 for t in told), told[0].stderr
    assert told[0].stdout.startswith("Tom saw")
    assert told[0].stdout == told[1].stdout != told[2].stdout


def test_a_race_is_tuned_before_its_clock_starts(stories, tmp_path):
    """How much of it fits the time depends on how busy the machine is."""
    done = run(
        "--minutes",
        "0.05",
        "--tune",
        "quick",
        "--out",
        str(tmp_path / "runs"),
        *TINY,
        "--data",
        str(stories),
        "--set",
        "recipe.compile=false",
        HF_HUB_OFFLINE="1",
        SPEEDRUN_CACHE=str(tmp_path / "c"),
    )
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "runs").glob("*/record.json")
    record = load(path)
    tuning = record.train.engine["tuning"]
    assert tuning["mode"] == "quick" and tuning["from"] == "measured"
    assert tuning["spent_s"] <= 22 and record.clock.warmup_s >= tuning["spent_s"]
    assert "compile" not in tuning["chosen"], "that was said, and is left to the recipe"
    assert record.config["recipe"]["precision"] == "auto", "the choice is no part of the config"
    assert record.clock.train_s + record.clock.data_wait_s <= record.budget_s * 1.005
    if tuning["plain_step_s"] is None:
        assert "Tuning failed" in done.stdout and tuning["problem"]
        return
    assert ("Tuned in" in done.stdout) is bool(tuning["trials"] or tuning["dropped"])
    assert tuning["chosen"].get("precision", "fp32") == record.train.engine["precision"]
    assert tuning["trials"] or tuning["not_tried"] or tuning["dropped"]
    is_calm = tuning["spread"] is not None and tuning["spread"] <= DISTURBED
    assert list((tmp_path / "c" / "tuning").glob("*.json")) or not is_calm


def test_json_prints_the_record_alone(stories, tmp_path):
    done = run(
        "--json", "--minutes", "0.02", "--data", str(stories), "--out", str(tmp_path), *TINY, *FAST
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    (folder,) = (f for f in tmp_path.iterdir() if not f.name.startswith("."))
    assert record == json.loads((folder / "record.json").read_text())


def test_without_hub_and_data_the_storybook_races(tmp_path):
    done = run(
        "--minutes",
        "0.02",
        "--out",
        str(tmp_path),
        *TINY,
        *FAST,
        HF_HUB_OFFLINE="1",
        SPEEDRUN_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    assert "storybook" in done.stdout and "--data PATH" in done.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--arch", "transfomer"], "did you mean transformer"),
        (["--backend", "gpu"], "unknown backend"),
        (["--recipe", "defualt"], "did you mean default"),
        (["--set", "recipe.lrr=1"], "did you mean recipe.lr"),
        (["--set", "recipe.lr=fast"], "expected a valid number"),
        (["--params", "1K"], "ask for"),
        (["--params", "lots"], "2M"),
        (["--minutes", "0"], "above 0"),
        (["--minutes", "soon"], "above 0"),
        (["--seeds", "0"], "1 to 100"),
        (["--seeds", "1.5"], "not a whole number"),
        (["--seed", "-1"], "0 or more"),
        (["--vocab", "10"], "257"),
        (["--eval-docs", "some"], "'all'"),
        (["--tune", "fast"], "quick"),
        (["--data", "no/such/place"], "no such file"),
        (["--data", __file__], "allowed are"),
        (["--minuets", "5"], "--help"),
        (["sample", "no/such/run"], "no record.json"),
        (["sample", ".", "--max-tokens", "2.5"], "not a whole number"),
        (["leaderboard", "--top", "2.5"], "not a whole number"),
        (["sweep", "--seeds", "2.5"], "not a whole number"),
        (["bench", "--repeats", "2.5"], "not a whole number"),
        (["swep"], "did you mean sweep"),
        (["--set", "lr=1"], "did you mean recipe.lr?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(args, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        app.main(args)
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.count("\n") == 1 and says in shown
    assert not list(tmp_path.rglob("*/*")), "a mistake must leave nothing behind"


def test_an_output_folder_that_cannot_be_is_found_before_the_race(stories, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("--out", str(tmp_path / "file"), "--data", str(stories), *TINY, *FAST)
    assert "cannot write there" in one_line_error(done)


def start(stories: Path, out: Path, minutes: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "run.py"),
            "--minutes",
            minutes,
            "--data",
            str(stories),
            "--out",
            str(out),
            *TINY,
            *FAST,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # until the clock runs and a few steps are logged
        logs = list(out.glob(".*partial/log.jsonl"))
        if logs and logs[0].stat().st_size > 0:
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate())


def test_a_budget_too_short_for_a_step_is_said(stories, tmp_path):
    done = run(
        "--minutes",
        "0.00001",
        "--data",
        str(stories),
        "--out",
        str(tmp_path / "runs"),
        *TINY,
        *FAST,
        HF_HUB_OFFLINE="1",
    )
    assert "not one step fits" in one_line_error(done)
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_early_and_keeps_the_run(stories, tmp_path, number):
    process = start(stories, tmp_path, "5")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    (path,) = tmp_path.glob("*/record.json")
    record = load(path)
    assert record.status == "interrupted" and record.score is not None
    assert record.clock.train_s < 60


def test_a_killed_run_leaves_no_record(stories, tmp_path):
    process = start(stories, tmp_path, "5")
    process.kill()
    process.communicate(timeout=60)
    assert not list(tmp_path.glob("*/record.json"))
    assert not [f for f in tmp_path.iterdir() if not f.name.startswith(".")]


def test_a_loss_that_diverges_is_recorded_as_such(stories, tmp_path):
    done = run(
        "--minutes",
        "1",
        "--data",
        str(stories),
        "--out",
        str(tmp_path),
        *TINY,
        *FAST,
        "--set",
        "recipe.optimizer=adamw",
        "--set",
        "recipe.lr=1e30",
    )
    assert done.returncode == 1, done.stderr
    (path,) = tmp_path.glob("*/record.json")
    record = load(path)
    assert record.status == "diverged" and record.score is None


def test_help_names_every_option_and_command():
    done = run("--help")
    assert done.returncode == 0
    for word in ("--minutes", "--arch", "--params", "--set", "--json", "sample", "doctor"):
        assert word in done.stdout


def test_doctor_reports_as_json():
    done = run("doctor", "--json", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["auto"] in {d["name"] for d in found["devices"] if d["available"]}
    assert found["hub"].startswith("does not answer")


def test_help_loads_nothing_heavy():
    heavy = ("torch", "mlx", "datasets", "pydantic", "scipy", "matplotlib")
    code = (
        "import contextlib, sys; from speedrun.cli.app import main\n"
        "for command in ([], ['submit'], ['verify'], ['leaderboard'], ['compare'], ['sweep']):\n"
        "    with contextlib.suppress(SystemExit): main([*command, '--help'])\n"
        f"print(sorted({set(heavy)} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.endswith("\n[]\n"), done.stdout + done.stderr
