"""A run's folder is there as a whole or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy

from speedrun.training.run_dir import RunDirectory, run_name

WEIGHTS = {"a": np.arange(4, dtype=np.float32)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_visible_before_it_is_published(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    folder.log({"share": 0.1})
    digest = folder.save_weights(WEIGHTS)
    assert [name[0] for name in names(tmp_path)] == ["."]
    final = folder.publish()
    assert final == tmp_path / "run" and names(tmp_path) == ["run"]
    assert (final / "log.jsonl").read_text() == '{"share": 0.1}\n'
    assert len(digest) == 64
    found = safetensors.numpy.load_file(final / "model.safetensors")
    np.testing.assert_array_equal(found["a"], WEIGHTS["a"])


def test_a_taken_name_gets_a_number(tmp_path):
    published = [RunDirectory(tmp_path, "run", 10).publish().name for _ in range(3)]
    assert published == ["run", "run.2", "run.3"]


def test_folders_of_killed_runs_go_and_those_of_others_stay(tmp_path):
    ask = [sys.executable, "-c", "import os; print(os.getpid())"]
    gone = subprocess.check_output(ask, text=True).strip()
    (tmp_path / f".old.{gone}.partial").mkdir()
    living = (f".now.{os.getppid()}.partial", ".mine")
    strange = (".x.partial", ".x.y.partial")
    for name in (*living, *strange, f".x.{10**30}.partial"):  # the last is no process, nor an error
        (tmp_path / name).mkdir()
    RunDirectory(tmp_path, "run", 10).discard()
    assert set(living + strange) <= set(names(tmp_path)) and not list(tmp_path.glob(".old*"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no fallocate here")
def test_room_for_weights_and_record_is_held_until_they_come(tmp_path):
    folder = RunDirectory(tmp_path, "run", 1000)
    held = folder.partial / "reserve"
    assert held.stat().st_blocks * 512 >= 1000 + (16 << 20)
    folder.save_weights(WEIGHTS)
    assert not held.exists()
    diverged = RunDirectory(tmp_path, "other", 1000)
    assert names(diverged.publish()) == ["log.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_during_the_race_costs_the_log_alone(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    folder._log = open("/dev/full", "w")  # noqa: SIM115, PTH123
    for share in range(2000):
        folder.log({"share": share})
    folder.save_weights(WEIGHTS)
    assert (folder.publish() / "model.safetensors").is_file()


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot write there"):
        RunDirectory(tmp_path / "file", "run", 10)


def test_a_full_disk_is_refused_before_the_clock(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
        with pytest.raises(ValueError, match="1 MiB are free"):
            RunDirectory(tmp_path, "run", 10)
    real = Path.open

    def full(self, *args, **options):  # a file system that takes no byte
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


def test_names_say_what_ran():
    assert run_name("some/where/mine", "2M", 3).endswith("-mine-2M-3")
