"""Commands of the leaderboard: output, messages, exit codes, stores left as they were."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import ROOT
from helpers.made_records import add, made, snapshot, write_run

from speedrun.records.files import OWN_RECORDS
from speedrun.records.summary import Summary


def test_the_projects_own_records_are_the_default(command):
    done = command("leaderboard", "--check")
    num_records = len([path for path in OWN_RECORDS.iterdir() if len(path.stem) == 64])
    assert done.code == 0 and "d3pm" in done.out
    assert done.err == f"{num_records} records checked, no problems\n"


@pytest.fixture
def store(tmp_path) -> Path:
    """Three seeds of an entry of five minutes, one run of one minute."""
    folder = tmp_path / "store"
    for seed in range(3):
        add(folder, made(0.7 + seed / 100, seed), name="more heads", author="Ann")
    shorter = {"budget_s": 60.0, "config.budget_s": 60.0, "clock.train_s": 59.0}
    add(folder, made(0.9, 0, {**shorter, "train.tokens_per_s": 1e6 / 60}))
    return folder


def test_the_table_fits_the_terminal_and_is_the_same_from_the_cache(command, store, monkeypatch):
    before = snapshot(store)
    wide = command("leaderboard", "--from", store)
    assert (wide.code, wide.err) == (0, "")
    for words in ("more heads", "0.7100 ± 0.0100", "· 1 min ·", "· 5 min ·"):
        assert words in wide.out
    monkeypatch.setenv("COLUMNS", "80")
    narrow = command("leaderboard", "--from", store).out
    monkeypatch.delenv("COLUMNS")  # in a pipe nothing is left out
    assert command("leaderboard", "--from", store) == wide
    assert "A wider terminal also shows: " in narrow and "A wider" not in wide.out
    assert max(len(line) for line in narrow.splitlines() if "Record" not in line) <= 80
    assert snapshot(store) == before


def test_markdown_and_json_are_printed_or_written(command, store, tmp_path):
    out = tmp_path / "new" / "out"
    for name, file in (("markdown", out / "LEADERBOARD.md"), ("json", out / "leaderboard.json")):
        shown = ("leaderboard", "--from", store, "--format", name)
        assert command(*shown, "--to", out).out == f"{file}\n"
        assert file.read_text(encoding="utf-8") == command(*shown).out
    assert [len(track["entries"]) for track in json.loads(file.read_text())["tracks"]] == [1, 1]


def test_a_folder_of_runs_is_shown_without_submitting(command, refused, tmp_path):
    for seed in range(3):
        write_run(tmp_path / "runs" / f"run-{seed}", made(0.7 + seed / 100, seed))
    shown = ("leaderboard", "--from", tmp_path / "runs")
    assert "0.7100 ± 0.0100" in command(*shown).out
    refused("no records there", *shown, "--format", "html", "--to", tmp_path / "page")


def test_a_track_is_chosen_by_words(command, refused, store):
    done = command("leaderboard", "--from", store, "--track", "TinyStories 1 min")
    assert "· 1 min ·" in done.out and "· 5 min ·" not in done.out
    says = "no track has these words; known: tinystories@ff16"
    refused(says, "leaderboard", "--from", store, "--track", "wikipedia \x1b[31m")


def test_invalid_files_are_reported_and_left_out(command, store):
    for k in range(12):
        (store / f"{k:064x}.json").write_text("{\x1b[31m\u202e")
    done = command("leaderboard", "--from", store)
    assert done.code == 0 and done.err.count("left out: ") == 10
    assert "and 2 more; --check shows all" in done.err and "\x1b" not in done.err
    found = json.loads(command("leaderboard", "--from", store, "--format", "json").out)
    assert len(found["problems"]) == 12


def test_check_fails_for_unexpected_and_changed_files(command, store):
    assert "4 records checked" in command("leaderboard", "--from", store, "--check").err
    weights = store / "weights"
    weights.mkdir()
    good = hashlib.sha256(b"weights").hexdigest()
    (weights / f"{good}.safetensors").write_bytes(b"weights")
    assert command("leaderboard", "--from", store, "--check").code == 0
    (weights / f"{'0' * 64}.safetensors").write_bytes(b"weights")
    (weights / f"{'1' * 64}.safetensors").symlink_to(weights / f"{good}.safetensors")
    (weights / "model.pkl").write_bytes(b"")
    (store / "tokenizers").symlink_to(store)
    (store / "stranger\x1b").write_text("")
    before = snapshot(store)
    done = command("leaderboard", "--from", store, "--check")
    assert done.code == 2 and "5 problems" in done.err and "\x1b" not in done.err
    assert f"{'0' * 64}.safetensors: does not match its name" in done.err
    for name in (f"weights/{'1' * 64}.safetensors", "weights/model.pkl", "tokenizers"):
        assert f"{store / name}: not a file of a leaderboard" in done.err
    assert snapshot(store) == before


def test_check_does_not_believe_the_cache(command, store):
    command("leaderboard", "--from", store)
    (kept,) = (Path(os.environ["SPEEDRUN_CACHE"]) / "leaderboard").iterdir()
    files = json.loads(kept.read_text())
    for _, _, kind, content in files.values():
        if kind == "record":
            content[Summary._fields.index("bits_per_byte")] = 0.1
    kept.write_text(json.dumps(files))
    show = ("leaderboard", "--from", store, "--format", "json")
    for args, is_believed in ((show, True), ((*show, "--check"), False)):
        assert ('"mean": 0.1,' in command(*args).out) == is_believed


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["leaderboard", "--from", "nowhere"], "no records there; add some with"),
        (["leaderboard", "--from", "file"], "cannot be read as a store"),
        (["leaderboard", "--format", "pdf"], '"table", "markdown", "json", "html"'),
        (["leaderboard", "--format", "html"], "--to FOLDER"),
        (["leaderboard", "--format", "html", "--to", "file"], "cannot write there"),
        (["leaderboard", "--format", "json", "--to", "file"], "--to file: cannot write there"),
        (["leaderboard", "--to", "out"], "a table is printed"),
        (["leaderboard", "--top", "-1"], "--top -1"),
        (["leaderboard", "--form", "json"], "--help"),
        (["submit"], "at least one finished run"),
        (["submit", "nowhere"], "no record.json there"),
        (["submit", "file", "--to", "s"], "not a record"),
        (["submit", "run", "--to", "s", "--name", "a\x1b[31m"], "--name"),
        (["submit", "run", "--to", "s", "--author", "a\u200bb"], "--author"),
        (["submit", "run", "--to", "file"], "cannot"),
        (["verify", "run", "--by", "two\nlines"], "--by"),
        (["compare", "run"], "--help"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_two(refused, args, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    write_run(tmp_path / "run", made())
    refused(says, *args)


@pytest.mark.slow
def test_no_command_but_verify_imports_a_framework(tmp_path, store):
    run = write_run(tmp_path / "run", made(0.6, 5))
    shown = ["leaderboard", "--from", store, "--format", "markdown"]
    commands = [["submit", run, "--to", store], shown, ["compare", run, run]]
    heavy = ("torch", "mlx", "datasets", "matplotlib", "scipy.stats", "tokenizers", "pyarrow")
    program = f"""
import sys
from speedrun.cli import app
for arguments in {[[str(word) for word in words] for words in commands]}:
    try:
        app.main(arguments)
    except SystemExit as end:
        assert end.code == 0, arguments
import leaderboard.render.html.page
print([m for m in {heavy} if m in sys.modules], file=sys.stderr)
"""
    arguments = [sys.executable, "-c", program]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
