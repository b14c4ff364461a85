"""Publication to a folder: whole, again, and in place of nothing else."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from helpers.command_line import refused as error_of
from helpers.made_records import WEIGHTS, snapshot, write_run

import speedrun
from leaderboard.publish import folder
from speedrun.records import schema

LATER = {
    "created": "2026-01-03T00:00:00+00:00",
    "weights_sha256": hashlib.sha256(WEIGHTS).hexdigest(),
}


@pytest.fixture
def run(make_record, tmp_path):
    made = write_run(tmp_path / "run", make_record())
    (made / "local.json").write_text("{}")
    return made


def test_a_folder_is_a_run_again(run, command, tmp_path):
    done = command("publish", run, "--to", tmp_path / "a" / "model")
    assert done.code == 0 and "try it: python run.py sample" in done.out, done
    made = tmp_path / "a" / "model"
    assert schema.load(made / "record.json") == schema.load(run / "record.json")
    assert "path/to/model" in (made / "README.md").read_text()
    assert not (made / "local.json").exists()
    assert [path.name for path in made.parent.iterdir()] == ["model"]


def test_a_folder_that_may_be_meant_as_a_repository_is_said(run, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        "--to hf://user/name is a model of the hub"
        in command("publish", run, "--to", "user/name").out
    )
    for plain in ("model", "./user/model", tmp_path / "model"):
        assert "hf://" not in command("publish", run, "--to", plain).out


def test_a_run_publishes_itself_as_the_command_does(run, command, tmp_path, capsys):
    done = speedrun.load(run).publish(tmp_path / "model", license="mit", with_paths=True)
    assert capsys.readouterr().out == "" and done["to"] == str(tmp_path / "model")
    by_method = snapshot(tmp_path / "model")
    options = ("--license", "mit", "--with-paths", "--json")
    again = command("publish", run, "--to", tmp_path / "model", *options)
    assert json.loads(again.out) == done and snapshot(tmp_path / "model") == by_method
    with pytest.raises(ValueError, match="that is the folder of the run itself"):
        speedrun.load(run).publish(run)
    with pytest.raises(ValueError, match="only a repository of the hub can be private"):
        speedrun.load(run).publish(tmp_path / "model", private=True)


def test_an_empty_folder_and_an_earlier_publication_are_replaced(run, command, tmp_path):
    (tmp_path / "model").mkdir()
    for _ in range(2):
        assert command("publish", run, "--to", tmp_path / "model").code == 0
        (tmp_path / "model" / "README.md").write_text("edited")
    (tmp_path / "model" / "verification-0123.json").write_text("{}")
    assert command("publish", run, "--to", tmp_path / "model").code == 0
    assert (tmp_path / "model" / "verification-0123.json").read_text() == "{}", "it is kept"
    assert "edited" not in (tmp_path / "model" / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "run"]


def test_anything_else_is_left_alone(run, make_record, refused, command, tmp_path):
    other = write_run(tmp_path / "other", make_record(LATER))
    assert command("publish", other, "--to", tmp_path / "published").code == 0
    refused("there is another run", "publish", run, "--to", tmp_path / "published")
    refused("there is no publication of a run", "publish", run, "--to", other)
    refused("that is the folder of the run itself", "publish", run, "--to", run)
    refused("that is no folder", "publish", run, "--to", run / "record.json")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    refused("there is other content (thesis.tex)", "publish", run, "--to", tmp_path / "mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    refused("that is no folder", "publish", run, "--to", tmp_path / "link")


def test_what_cannot_be_written_leaves_the_earlier_one(run, command, tmp_path, monkeypatch):
    assert command("publish", run, "--to", tmp_path / "model").code == 0
    before, rename = snapshot(tmp_path), Path.rename

    def failing(path, target):
        if str(target).endswith("model") and not str(path).endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    line = error_of("publish", run, "--to", tmp_path / "model")
    assert "cannot be written (Input/output error)" in line
    assert snapshot(tmp_path) == before


def test_a_full_disk_leaves_nothing_behind(run, tmp_path, monkeypatch):
    def full(path, content):
        if path.name == "b":
            raise OSError(28, os.strerror(28))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    monkeypatch.setattr(folder, "write_atomic", full)
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match="No space left on device"):
        folder.publish(tmp_path / "model", run, "0" * 64, {"a": b"1", "b": b"2"})
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("s3://bucket/model", "give hf://user/name or a folder"),
        ("https://huggingface.co/ada/model", "give hf://user/name or a folder"),
        ("", "give hf://user/name or a folder"),
        ("hf://model", "not an address of a model; give hf://user/name"),
        ("hf://ada/model@main", "publishing takes no revision; give hf://ada/model"),
        ("hf://ada/../model", "not an address of a model"),
        ("hf://ada/a--b", "the hub allows no such name"),
    ],
)
def test_other_destinations_end_in_one_line(to, says, run, refused):
    refused(says, "publish", run, "--to", to)


def test_other_mistakes_end_in_one_line(run, refused, command, tmp_path):
    refused("no record.json there", "publish", tmp_path / "none", "--to", tmp_path / "model")
    refused("only a repository of the hub can be private", *_words(run, tmp_path), "--private")
    refused("--license", *_words(run, tmp_path), "--license", "a\nb")
    refused("HF_HUB_OFFLINE is set", "publish", run, "--to", "hf://ada/model")
    done = command("publish", run)
    assert done.code == 2 and "--to" in done.err


def _words(run, tmp_path):
    return "publish", run, "--to", tmp_path / "model"
