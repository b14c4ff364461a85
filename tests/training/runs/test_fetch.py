"""Published runs: fetched once, within limits, and only what their record names."""

import os
import time
from pathlib import Path

import pytest
from helpers.command_line import FAST, TINY, done_well, runs
from helpers.made_records import snapshot, write_run

from speedrun import api
from speedrun.records import artifacts
from speedrun.records.sanitize import sanitize
from speedrun.system.paths import cache_dir
from speedrun.training.runs import fetch

MODEL = "hf://ada/model"


@pytest.fixture
def files(make_record, tmp_path):
    """The files of a published run, and some that are none of a run."""
    run = write_run(tmp_path / "run", make_record())
    found = {path.name: path.read_bytes() for path in run.iterdir()}
    return found | {"setup.py": b"raise SystemExit", "model.bin": b"pickle", "README.md": b"x"}


def refusal(address: str = MODEL) -> str:
    with pytest.raises(ValueError) as error:
        fetch.folder_of(address)
    assert "\n" not in str(error.value)
    assert not list(cache_dir().glob("published/*/.partial*")), "nothing half done is left"
    return str(error.value)


def test_a_folder_is_a_folder(tmp_path):
    assert fetch.folder_of(tmp_path) == tmp_path == fetch.folder_of(str(tmp_path))


def test_only_the_files_of_a_run_are_fetched_and_once(hub, files):
    hub.made("ada/model", files)
    folder = fetch.folder_of(MODEL)
    wanted = {"record.json", "model.safetensors", "tokenizer.json"}
    assert {path.name for path in folder.iterdir()} == wanted
    assert all((folder / name).read_bytes() == files[name] for name in wanted)
    assert not any("setup.py" in path or "model.bin" in path for _, path in hub.requests)
    hub.requests.clear()
    assert fetch.folder_of(MODEL) == folder and len(hub.requests) == 1
    assert api.load(MODEL).folder == folder


def test_a_commit_that_is_there_asks_nobody(hub, files, monkeypatch):
    commit = hub.made("ada/model", files).commits[-1][0]
    folder = fetch.folder_of(f"{MODEL}@{commit}")
    assert folder.name == commit
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.requests.clear()
    assert fetch.folder_of(f"{MODEL}@{commit}") == folder and not hub.requests
    assert f"HF_HUB_OFFLINE is set; what was fetched before is in {folder}" in refusal()


def test_a_later_commit_is_fetched_beside_the_first(hub, files):
    repo = hub.made("ada/model", files)
    first = fetch.folder_of(MODEL)
    repo.add({"README.md": b"y"})
    assert fetch.folder_of(MODEL) != first and first.exists()


@pytest.fixture
def fetched(hub, files):
    """`fetched("a", days=2)` fetches a run, as if that was so many days ago."""

    def act(name: str, days: float) -> Path:
        hub.made(f"ada/{name}", files)
        folder = fetch.folder_of(f"hf://ada/{name}")
        aged(folder, days)
        return folder

    return act


def aged(folder: Path, days: float) -> None:
    at_s = time.time() - days * 24 * 3600
    os.utime(folder, (at_s, at_s))


def test_runs_used_longest_ago_go_above_the_limit(fetched, monkeypatch):
    first, second, third = (fetched(name, days) for name, days in (("a", 3), ("b", 2), ("c", 1)))
    fetch.folder_of("hf://ada/a")
    num_bytes = sum(path.stat().st_size for path in first.iterdir())
    monkeypatch.setattr(fetch, "_MAX_KEPT_BYTES", 3 * num_bytes)
    last = fetched("d", 0)
    assert [run.exists() for run in (first, second, third, last)] == [True, False, True, True]
    monkeypatch.setattr(fetch, "_MAX_KEPT_BYTES", 1)
    fetched("e", 0)
    left = [run.exists() for run in (first, third, last)]
    assert left == [True, False, True], "a process may still read what was just used"
    assert fetch.folder_of("hf://ada/b") == second and second.exists(), "it is fetched again"


def test_what_was_verified_stays_and_what_was_killed_goes(fetched, monkeypatch):
    monkeypatch.setattr(fetch, "_MAX_KEPT_BYTES", 1)
    verified = fetched("a", 0)
    (verified / "verification-0123.json").write_text("{}")
    aged(verified, 9)
    killed, under_way = (verified.parent / f".partial-{name}" for name in "xy")
    for folder, days in ((killed, 2), (under_way, 0)):
        (folder / ".cache").mkdir(parents=True)
        aged(folder, days)
    fetched("b", 0)
    assert verified.exists() and under_way.exists() and not killed.exists()


def test_what_is_no_run_is_one_line(hub, files):
    hub.made("ada/model", {"config.json": b"{}"})
    assert "no run is published there (no record.json)" in refusal()
    hub.made("ada/model", files | {"record.json": b"{}"})
    assert "hf://ada/model: record.json: not a record" in refusal()
    hub.made("ada/model", files | {"model.safetensors": files["model.safetensors"][:-1] + b"x"})
    assert "model.safetensors is not the one that its record names" in refusal()
    hub.made("ada/model", files | {"tokenizer.json": b"{}"})
    assert "tokenizer.json is not the one that its record names" in refusal()


def test_sizes_are_checked_before_anything_is_fetched(hub, files, monkeypatch):
    hub.made("ada/model", files | {"tokenizer.json": b"x" * 2000})
    monkeypatch.setattr(artifacts, "MAX_TOKENIZER_BYTES", 1000)
    assert "tokenizer.json is larger than it may be (2000 bytes, at most 1000)" in refusal()
    hub.made("ada/model", files)
    monkeypatch.setattr(artifacts, "max_weights_bytes", lambda record: 10)
    assert "model.safetensors is larger than it may be" in refusal()
    assert not any("model.safetensors" in path for _, path in hub.requests)


def test_a_file_that_comes_damaged_is_not_kept(hub, files):
    hub.made("ada/model", files)
    hub.garbled = "model.safetensors"
    assert "is not the one that its record names" in refusal()
    hub.garbled = ""
    assert fetch.folder_of(MODEL)


def test_the_hub_s_refusals_are_one_line(hub, files):
    assert "has no such model, or it is private (log in with: hf auth login)" in refusal()
    repo = hub.made("ada/model", files, gated=True)
    assert f"asks for its authors' permission: request it on {hub.endpoint}/ada/model" in refusal()
    repo.gated, repo.private = False, True
    assert "or it is private" in refusal()
    repo.private = False
    assert "has no revision v9 of it" in refusal(f"{MODEL}@v9")
    for status, says in ((401, "login"), (403, "refuses access"), (503, "failure of its own")):
        hub.trouble = ("/api/models/", status)
        assert says in refusal()


def test_no_network_is_one_line(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in refusal()


def test_commands_name_what_is_wrong(refused):
    refused("HF_HUB_OFFLINE is set", "sample", MODEL)
    refused("HF_HUB_OFFLINE is set", "verify", MODEL)
    refused("not an address of a model", "sample", "hf://model")
    refused("a published run has its score", "score", MODEL)


@pytest.mark.slow
def test_a_race_is_published_sampled_and_verified(hub, stories, monkeypatch, tmp_path):
    words = (*TINY, *FAST, "--minutes", "0.02", "--data", stories, "--out", tmp_path / "runs")
    done_well("race", *words)
    (run,) = runs(tmp_path / "runs")
    hub.use(monkeypatch, tmp_path)
    done_well("publish", run, "--to", MODEL)
    done_well("publish", run, "--to", tmp_path / "model")
    before = snapshot(tmp_path)
    told = [done_well("sample", where, "--max-tokens", 20) for where in (run, MODEL)]
    assert told[0] == told[1] == done_well("sample", tmp_path / "model", "--max-tokens", 20)
    assert snapshot(tmp_path) == before
    shown = done_well("verify", MODEL, "--data", stories, "--by", "Ada")
    assert "The record is confirmed." in shown
    story = api.load(MODEL).sample(max_tokens=20)
    assert sanitize(story, lines=True) == told[0].removesuffix("\n")


@pytest.mark.slow
def test_code_is_never_fetched_nor_run(hub, stories, monkeypatch, tmp_path, refused):
    from helpers.folders import PLUGIN

    words = (*TINY, *FAST, "--minutes", "0.02", "--data", stories, "--out", tmp_path / "runs")
    done_well("race", *words, "--arch", PLUGIN)
    (run,) = runs(tmp_path / "runs")
    hub.use(monkeypatch, tmp_path)
    done_well("publish", run, "--to", MODEL)
    _, files = hub.repos["ada/model"].commits[-1]
    assert not any(name.endswith(".py") for name in files)
    assert b"**Code required.**" in files["README.md"]
    refused("which is not installed; give its folder: --arch path/to/folder", "sample", MODEL)
    assert done_well("sample", MODEL, "--arch", PLUGIN, "--max-tokens", 5)
