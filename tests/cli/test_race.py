"""Races end to end through the real command line, on tiny data."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import safetensors.numpy
from helpers.command_line import FAST, ROOT, TINY, command, done_well, refused, runs
from helpers.made_records import made
from helpers.process_groups import until_logged

from speedrun.autotune.tune import DISTURBED
from speedrun.cli.race import leave
from speedrun.data import tokenizer
from speedrun.records.schema import load
from speedrun.records.summary import unranked_because
from speedrun.training.signals import StopFlag

RACE = ("--minutes", "5", "--device", "cpu", *TINY, *FAST)


@pytest.fixture(scope="module")
def raced(stories, tmp_path_factory) -> tuple[str, list[Path]]:
    """One race of two seeds: its output and its run directories."""
    out = tmp_path_factory.mktemp("runs")
    budget = ("--minutes", "0.05", "--seeds", "2", "--device", "cpu")
    shown = done_well("race", *budget, "--data", stories, "--out", out, *TINY, *FAST)
    return shown, runs(out)


@pytest.fixture(scope="module")
def counted(stories, tmp_path_factory) -> tuple[str, Path]:
    """One race of the n-grams: its output and its run directory."""
    out = tmp_path_factory.mktemp("counted")
    race = ("--arch", "ngram", "--minutes", "0.2", "--data", stories, "--out", out)
    shown = done_well(*race, *TINY, "--tune", "off")
    return shown, runs(out)[0]


@pytest.mark.slow
def test_a_race_leaves_whole_run_directories(raced):
    shown, folders = raced
    assert [f.name[-1] for f in folders] == ["0", "1"]
    files = {"record.json", "model.safetensors", "tokenizer.json", "log.jsonl", "samples.txt"}
    files |= {"local.json"}
    for folder in folders:
        assert {file.name for file in folder.iterdir()} == files
        record = load(folder / "record.json")
        assert record.status == "complete"
        assert record.score is not None and record.score.bits_per_byte < 6
        log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        assert log[-1]["num_steps"] == record.train.num_steps
        assert (folder / "samples.txt").read_text().startswith("Once upon a time")
    # Another test may take the processor from one race for a moment, hardly from both.
    records = [load(folder / "record.json") for folder in folders]
    assert min(r.clock.overshoot_s / r.budget_s for r in records) <= 0.005
    # Output to a pipe is plain lines.
    assert "\x1b" not in shown and "\r" not in shown and "│" not in shown
    for expected in ("bits per byte", "perplexity", "tokens/s", "mean ± sd"):
        assert expected in shown
    assert "Place" in shown or unranked_because(records[1]) is not None
    # Which tenths are shown depends on how busy the machine is; that some are does not.
    assert re.search(r"^ ?[1-9]0% .* left|^ ?[1-9][0-9]% .* left", shown, re.MULTILINE)


@pytest.mark.slow
def test_sample_continues_the_prompt_and_depends_on_its_seed(raced):
    _, folders = raced
    prompt = ("sample", folders[0], "--prompt", "Tom saw", "--max-tokens", "20", "--device", "cpu")
    told = [done_well(*prompt, "--seed", seed) for seed in ("1", "1", "2")]
    assert told[0].startswith("Tom saw") and told[0] == told[1] != told[2]


@pytest.mark.slow
def test_a_counted_model_reads_everything_once_ranks_and_comes_back(counted):
    shown, folder = counted
    record = load(folder / "record.json")
    assert (record.status, record.backend, record.device) == ("complete", "numpy", "numpy")
    assert unranked_because(record) is None
    assert record.train.epochs is not None and 1.0 <= record.train.epochs < 1.5
    assert "epochs_done" in [event.kind for event in record.train.events]
    assert record.clock.train_s < record.budget_s / 2
    arrays = safetensors.numpy.load_file(folder / "model.safetensors")
    assert record.num_params == sum(array.size for array in arrays.values()) <= 60_000
    assert record.score is not None and record.score.bits_per_byte < 2
    assert "First run of this track" in shown
    assert done_well("sample", folder, "--prompt", "Tom saw").startswith("Tom saw")
    assert "it runs here on: numpy" in refused("sample", folder, "--device", "cpu")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--device", "cpu"), "it runs here on: numpy"),
        (("--set", "model.order=9"), "model.order=9: allowed are 2 to 6"),
        (("--set", "recipe.lr=0.1"), "recipe.lr has no effect on ngram"),
        (("--params", "5K"), "--params 5000: at least"),
    ],
)
def test_what_counting_cannot_do_is_one_line(stories, tmp_path, args, says):
    assert says in refused("--arch", "ngram", "--data", stories, "--out", tmp_path / "runs", *args)


@pytest.mark.slow
def test_a_race_is_tuned_before_its_clock_starts(stories, tmp_path, isolated):
    """The share of it that fits the time depends on the load of the machine."""
    race = ("--minutes", "0.05", "--tune", "quick", "--out", tmp_path / "runs", "--data", stories)
    shown = done_well(*race, *TINY, "--set", "recipe.compile=false")
    record = load(runs(tmp_path / "runs")[0] / "record.json")
    tuning = record.train.engine["tuning"]
    assert tuning["mode"] == "quick" and tuning["from"] == "measured"
    assert tuning["spent_s"] <= 22 and record.clock.warmup_s >= tuning["spent_s"]
    assert "compile" not in tuning["chosen"], "that was said, and is left to the recipe"
    assert record.config["recipe"]["precision"] == "auto", "the choice is no part of the config"
    assert record.clock.train_s + record.clock.data_wait_s <= record.budget_s * 1.005
    if tuning["plain_step_s"] is None:
        assert "uning" in shown and tuning["problem"]
        return
    assert ("Tuned in" in shown) is bool(tuning["trials"] or tuning["dropped"])
    assert tuning["chosen"].get("precision", "fp32") == record.train.engine["precision"]
    assert tuning["trials"] or tuning["not_tried"] or tuning["dropped"]
    is_calm = tuning["spread"] is not None and tuning["spread"] <= DISTURBED
    assert list((isolated / "cache" / "tuning").glob("*.json")) or not is_calm


@pytest.mark.slow
def test_without_hub_and_data_the_storybook_races_and_json_prints_the_record_alone(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tokenizer, "TRAINING_BYTES", 200_000)
    args = ("--json", "--minutes", "0.02", "--device", "cpu", "--out", tmp_path)
    done = command(*args, *TINY, *FAST)
    assert done.code == 0, done.err
    assert "storybook" in done.err and "--data PATH" in done.err
    assert done.out.count("\n") == 1
    (folder,) = runs(tmp_path)
    assert json.loads(done.out) == json.loads((folder / "record.json").read_text())


@pytest.mark.slow
def test_a_budget_too_short_for_a_step_is_said(stories, tmp_path):
    args = ("--minutes", "0.00001", "--data", stories, "--out", tmp_path / "runs")
    assert "not one step fits" in refused(*args, *TINY, *FAST)
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.slow
def test_a_loss_that_diverges_is_recorded_as_such(stories, tmp_path):
    rates = ("--set", "recipe.optimizer=adamw", "--set", "recipe.lr=1e30")
    args = ("--minutes", "1", "--data", stories, "--out", tmp_path, *TINY, *FAST, *rates)
    assert command(*args).code == 1
    record = load(runs(tmp_path)[0] / "record.json")
    assert record.status == "diverged" and record.score is None


@contextlib.contextmanager
def racing(stories: Path, out: Path):
    """A race of five minutes in a process of its own, whose clock runs."""
    args = (*RACE, "--data", stories, "--out", out)
    command = [sys.executable, str(ROOT / "run.py"), *map(str, args)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            until_logged(out, process)
            yield process
        finally:
            process.kill()


def interrupted(stories: Path, out: Path, number: int) -> tuple[int, str]:
    """Exit code and errors of a race in this process, which a signal stops as its clock runs."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.1):
            if any(log.stat().st_size for log in out.glob(".*partial/log.jsonl")):
                os.kill(os.getpid(), number)
                break

    sending = threading.Thread(target=send)
    sending.start()
    try:
        done = command(*RACE, "--data", stories, "--out", out)
    finally:
        over.set()
        sending.join()
    return done.code, done.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_training_early_and_keeps_the_run(stories, tmp_path, number):
    """One of them in a process of its own: each would import PyTorch again."""
    if number == signal.SIGINT:
        with racing(stories, tmp_path) as process:
            process.send_signal(number)
            errors = process.communicate(timeout=60)[1].decode()
        code = process.returncode
    else:
        code, errors = interrupted(stories, tmp_path, number)
    assert code == 128 + number, errors
    (folder,) = runs(tmp_path)
    line = f"stopped ({number.name}); recorded as interrupted in {folder}\n"
    assert errors.splitlines(keepends=True) == [line]
    record = load(folder / "record.json")
    assert record.status == "interrupted" and record.score is not None
    assert record.clock.train_s < 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "outcome"),
    [("building the model", "nothing was recorded"), ("scoring", "python run.py score ")],
)
def test_a_signal_at_another_moment_ends_the_command_with_one_line(
    stories, tmp_path, stage, outcome
):
    args = ("--minutes", "0.02", "--device", "cpu", "--data", stories, "--out", tmp_path)
    small = ("--params", "60K", "--vocab", "300", "--eval-docs", "all")
    command = [sys.executable, str(ROOT / "run.py"), *map(str, (*args, *small, *FAST))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | {"PYTHONUNBUFFERED": "1"}, **pipes) as process:
        assert process.stdout is not None
        assert any(line.startswith(stage) for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("stopped (SIGINT); ") and outcome in errors
    assert errors.count("\n") == 1 and "Traceback" not in errors


@pytest.mark.slow
def test_a_killed_run_leaves_no_record(stories, tmp_path):
    with racing(stories, tmp_path) as process:
        process.kill()
        process.communicate(timeout=60)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["complete", "complete"], None),
        (["complete", "interrupted"], 130),
        (["interrupted", "diverged"], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_race(statuses, code):
    records, stop = [made(changes={"status": status}) for status in statuses], StopFlag(())
    left = contextlib.nullcontext() if code is None else pytest.raises(SystemExit)
    with left as error:
        leave(records, stop)
    assert error is None or error.value.code == code
    stop.signal_name = "SIGINT"
    with pytest.raises(KeyboardInterrupt):
        leave(records, stop)
