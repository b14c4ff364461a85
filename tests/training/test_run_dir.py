"""A run's folder is there as a whole or not at all."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from speedrun.training.run_dir import RunDirectory, run_name


def test_nothing_is_visible_before_it_is_published(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    folder.log({"share": 0.1})
    digest = folder.save_weights({"a": np.arange(4, dtype=np.float32)})
    assert [p.name.startswith(".") for p in tmp_path.iterdir()] == [True]
    final = folder.publish()
    assert final == tmp_path / "run" and [p.name for p in tmp_path.iterdir()] == ["run"]
    assert (final / "log.jsonl").read_text() == '{"share": 0.1}\n'
    assert len(digest) == 64
    weights = safetensors.numpy.load_file(final / "model.safetensors")
    np.testing.assert_array_equal(weights["a"], np.arange(4))


def test_a_taken_name_gets_a_number(tmp_path):
    names = []
    for _ in range(3):
        folder = RunDirectory(tmp_path, "run", 10)
        folder.write("record.json", "{}")
        names.append(folder.publish().name)
    assert names == ["run", "run.2", "run.3"]


def test_a_discarded_run_leaves_nothing(tmp_path):
    RunDirectory(tmp_path, "run", 10).discard()
    assert not list(tmp_path.iterdir())


def test_folders_of_killed_runs_go_and_those_of_living_ones_stay(tmp_path):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (tmp_path / f".old.{gone}.partial").mkdir()
    (tmp_path / f".now.{os.getppid()}.partial").mkdir()
    (tmp_path / ".mine").mkdir()
    RunDirectory(tmp_path, "run", 10).discard()
    assert {p.name for p in tmp_path.iterdir()} == {f".now.{os.getppid()}.partial", ".mine"}


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no fallocate here")
def test_room_for_weights_and_record_is_held_until_they_come(tmp_path):
    folder = RunDirectory(tmp_path, "run", 1000)
    held = folder.partial / "reserve"
    assert held.stat().st_blocks * 512 >= 1000 + (16 << 20)
    folder.save_weights({"a": np.arange(4, dtype=np.float32)})
    assert not held.exists()
    diverged = RunDirectory(tmp_path, "other", 1000)
    assert [path.name for path in diverged.publish().iterdir()] == ["log.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_during_the_race_costs_the_log_alone(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    folder._log = open("/dev/full", "w")  # noqa: SIM115, PTH123
    for share in range(2000):
        folder.log({"share": share})
    folder.save_weights({"a": np.arange(4, dtype=np.float32)})
    assert (folder.publish() / "model.safetensors").is_file()


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write there"):
        RunDirectory(tmp_path / "file", "run", 10)


def test_a_full_disk_is_refused_before_the_clock(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 30, 1 << 30, 1 << 20))
    with pytest.raises(ValueError, match="1 MiB are free"):
        RunDirectory(tmp_path, "run", 10)
    assert not list(tmp_path.iterdir())


def test_a_file_system_that_takes_no_byte_is_refused_before_the_clock(tmp_path, monkeypatch):
    real = Path.open

    def full(self, *args, **options):
        return real(Path("/dev/full") if self.name == "log.jsonl" else self, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        with pytest.raises(ValueError, match=r"No space left on device\); choose another"):
            RunDirectory(tmp_path, "run", 10)
    assert not list(tmp_path.iterdir())


def test_a_folder_we_may_not_write_in_is_refused_before_the_clock(tmp_path, monkeypatch):
    def refuse(self, *args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write everywhere
    with pytest.raises(ValueError) as caught:
        RunDirectory(tmp_path / "runs", "run", 10)
    assert str(caught.value) == (
        f"--out {tmp_path / 'runs'}: cannot write there (Permission denied); choose another folder"
    )


def test_a_second_run_of_one_name_leaves_the_first_alone(tmp_path):
    first = RunDirectory(tmp_path, "run", 10)
    with pytest.raises(ValueError, match="File exists"):
        RunDirectory(tmp_path, "run", 10)
    first.write("record.json", "{}")
    assert (first.publish() / "record.json").read_text() == "{}"


def test_other_peoples_hidden_folders_stay(tmp_path):
    for name in (".x.partial", ".x.y.partial", f".x.{10**30}.partial"):
        (tmp_path / name).mkdir()
    RunDirectory(tmp_path, "run", 10).discard()
    assert {".x.partial", ".x.y.partial"} <= {p.name for p in tmp_path.iterdir()}


def test_names_say_what_ran():
    assert run_name("some/where/mine", "2M", 3).endswith("-mine-2M-3")
