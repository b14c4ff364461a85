"""Trackers with the real libraries, where these are installed."""

import importlib
import sys
import time
from pathlib import Path

import pytest
from helpers.command_line import command
from helpers.tracked import QUICK, WORDS, log_of

import speedrun
from speedrun.ui.trackers import libraries, race_tracker
from speedrun.ui.trackers.libraries import Opening


@pytest.fixture
def every_tick(monkeypatch):
    monkeypatch.setattr(race_tracker, "EVERY_S", 0.0)


def test_tensorboard_has_the_log_the_settings_the_score_and_the_story(
    every_tick, stories, tmp_path
):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = speedrun.race(track="tensorboard:mine", data=stories, out=tmp_path, **QUICK)
    (folder,) = (tmp_path / "tensorboard" / "mine").iterdir()
    events = accumulator.EventAccumulator(str(folder)).Reload()
    log = log_of(run.folder)
    for name in ("loss_nats", "tokens_per_s", "num_tokens"):
        found = {one.step: one.value for one in events.Scalars(f"train/{name}")}
        assert found == pytest.approx({row["num_steps"]: row[name] for row in log}, rel=1e-6)
    (score,) = events.Scalars(libraries.SCORE)
    assert score.value == pytest.approx(run.bits_per_byte)
    (story,) = events.Tensors(f"{libraries.STORY}/text_summary")
    assert run.record.sample is not None
    assert story.tensor_proto.string_val[0].decode() == run.record.sample.text
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_tensorboard_keeps_what_it_has_when_the_race_is_killed(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = libraries.TensorBoard(opening(tmp_path))
    board.log({"train/loss_nats": 2.0}, 1)
    time.sleep(libraries._FLUSH_S + 0.2)
    board.log({"train/loss_nats": 1.0}, 2)  # never closed
    folder, until_s = str(tmp_path / "tensorboard" / "mine" / "a-run"), time.monotonic() + 30
    steps: list[int] = []
    while steps[:1] != [1] and time.monotonic() < until_s:
        events = accumulator.EventAccumulator(folder).Reload()
        if "train/loss_nats" in events.Tags()["scalars"]:
            steps = [one.step for one in events.Scalars("train/loss_nats")]
    assert steps[:1] == [1]


def test_a_folder_that_cannot_be_written_costs_a_line(stories, tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("a file in its place")
    done = command(*WORDS, "--track", "tensorboard", "--data", stories, "--out", tmp_path)
    assert done.code == 0 and done.out.count("notice: --track tensorboard failed (") == 1


def test_trackio_has_the_log_the_settings_the_score_and_the_story(
    every_tick, monkeypatch, stories, tmp_path
):
    trackio = pytest.importorskip("trackio")
    SQLiteStorage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage

    monkeypatch.setattr(sys.modules["trackio.sqlite_storage"], "TRACKIO_DIR", tmp_path / "t")
    run = speedrun.race(track="trackio:mine", data=stories, out=tmp_path, **QUICK)
    (found,) = trackio.Api().runs("mine")
    assert found.config["data.vocab"] == 300
    rows = SQLiteStorage.get_logs("mine", found.name)
    losses = [row["train/loss_nats"] for row in rows if "train/loss_nats" in row]
    assert losses == pytest.approx([row["loss_nats"] for row in log_of(run.folder)])
    assert rows[-1]["final/bits_per_byte"] == pytest.approx(run.bits_per_byte)


def test_wandb_keeps_a_run_here(every_tick, monkeypatch, stories, tmp_path):
    pytest.importorskip("wandb.sdk")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = speedrun.race(track="wandb:mine", data=stories, out=tmp_path, **QUICK)
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    written = file.read_bytes()
    for name in ("train/loss_nats", "data.vocab", "final/bits_per_byte", "final/story"):
        assert name.encode() in written
    assert run.record.id.encode() in written


def opening(out: Path) -> Opening:
    return Opening(project="mine", name="a-run", group="runs", config={"seed": 1}, out=out)
