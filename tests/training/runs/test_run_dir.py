"""A run's folder is there with a whole model or not at all."""

import hashlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from helpers.made_records import made

from speedrun.training.runs.run_dir import RunDirectory, run_name
from speedrun.training.runs.run_names import settle_abandoned

WEIGHTS = {"a": np.arange(4, dtype=np.float32)}
FILES = {"model.safetensors": safetensors.numpy.save(WEIGHTS), "record.json": b"{}"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_visible_before_it_is_published(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    folder.log({"share": 0.1, "loss_nats": math.nan})
    assert all(name[0] == "." for name in names(tmp_path))
    final = folder.publish(FILES)
    assert final == tmp_path / "run" and names(final) == ["log.jsonl", *sorted(FILES)]
    folder.close()
    assert names(tmp_path) == ["run"]
    assert (final / "log.jsonl").read_text() == '{"share": 0.1, "loss_nats": null}\n'
    assert (final / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_races_of_one_second_get_folders_of_their_own(tmp_path):
    racing = [RunDirectory(tmp_path, "run", 10) for _ in range(3)]
    assert [one.publish(FILES).name for one in racing] == ["run", "run.2", "run.3"]
    for one in racing:
        one.close()
    assert names(tmp_path) == ["run", "run.2", "run.3"]
    assert RunDirectory(tmp_path, "run", 10).publish(FILES).name == "run.4"


def test_a_name_taken_at_the_last_moment_gets_a_number(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    (tmp_path / "run" / "of somebody").mkdir(parents=True)
    assert folder.publish(FILES).name == "run.2" and names(tmp_path / "run") == ["of somebody"]


RACING = """
import os, sys
from pathlib import Path
from speedrun.training.runs.run_dir import RunDirectory
folder = RunDirectory(Path(sys.argv[1]), "other", 1000)
print("racing", flush=True)
sys.stdin.readline()
os._exit(0)
"""


def test_folders_of_killed_races_go_and_those_of_others_stay(tmp_path):
    """The other process stands for another host's, whose process ids mean nothing here."""
    ask = [sys.executable, "-c", RACING, str(tmp_path)]
    with subprocess.Popen(ask, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"racing\n"
        (tmp_path / ".mine").mkdir()
        (tmp_path / ".no-lock.partial").mkdir()  # of a file system without locks, perhaps
        (tmp_path / ".long-ago.partial").mkdir()
        os.utime(tmp_path / ".long-ago.partial", (0, 0))
        others = {".mine", ".no-lock.partial", ".other.partial", ".other.racing"}
        RunDirectory(tmp_path, "run", 10).close()
        assert set(names(tmp_path)) == others
        other.kill()
        other.wait()
    RunDirectory(tmp_path, "run", 10).close()
    assert set(names(tmp_path)) == {".mine", ".no-lock.partial"}


def abandoned(out: Path, files: dict[str, bytes]) -> Path:
    """The hidden directory of a race that was killed."""
    folder = RunDirectory(out, "run", 10)
    for name, content in files.items():
        (folder.partial / name).write_bytes(content)
    assert folder._lock is not None
    folder._lock.release()
    return folder.partial


def test_weights_of_a_killed_race_are_published_where_its_record_is_sealed(tmp_path):
    raw = safetensors.numpy.save(WEIGHTS)
    found = {"weights_sha256": hashlib.sha256(raw).hexdigest(), "num_params": 4}
    record = made(changes={**found, "status": "trained", "score": None, "sample": None})
    files = {"record.json": record.to_json().encode(), "model.safetensors": raw}
    heard: list[str] = []
    abandoned(tmp_path, files)
    RunDirectory(tmp_path, "next", 10, heard.append).close()
    assert names(tmp_path) == ["run"]
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == raw
    assert heard == [
        f"The model of a race that was killed is kept in {tmp_path / 'run'}:"
        f" python run.py score {tmp_path / 'run'} finishes it."
    ]


@pytest.mark.parametrize("record", [{}, {"record.json": b"{"}])
def test_weights_without_a_record_are_never_deleted(tmp_path, record):
    heard: list[str] = []
    partial = abandoned(tmp_path, {**record, "model.safetensors": b"whole"})
    for _ in range(2):
        RunDirectory(tmp_path, "run", 10, heard.append).close()
    assert (partial / "model.safetensors").read_bytes() == b"whole" and len(heard) == 2
    assert "it is left there" in heard[0]


def test_a_stopped_race_keeps_whole_weights_and_deletes_the_rest(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    (folder.partial / "model.safetensors").write_bytes(b"whole")
    folder.close()
    assert (folder.partial / "model.safetensors").exists()
    RunDirectory(tmp_path, "other", 10).close()
    assert not list(tmp_path.glob(".other*"))


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("is_torn", [False, True])
def test_a_scored_run_that_does_not_go_on_keeps_its_name(tmp_path, is_killed, is_torn):
    weights = FILES["model.safetensors"]
    changes = {"status": "interrupted", "weights_sha256": hashlib.sha256(weights).hexdigest()}
    record = made(changes=changes).to_json().encode()
    files = {**FILES, "record.json": record, "checkpoint.safetensors": b"checkpoint"}
    folder = RunDirectory(tmp_path, "run", 10)
    folder.publish(files)
    folder.close()
    before = names(tmp_path / "run")
    again = RunDirectory.reopened(tmp_path / "run", 10, print, 1.0)
    if is_torn:
        (again.partial / "model.safetensors").write_bytes(b"of another run")
    if is_killed:
        told: list[str] = []
        again._close_log()  # as the end of a process does
        again._lock.release()  # type: ignore[reportOptionalMemberAccess]
        settle_abandoned(tmp_path, told.append)
        assert told[0].endswith(f"python run.py resume {tmp_path / 'run'}")
    else:
        again.close()
    assert names(tmp_path) == ["run"] and names(tmp_path / "run") == before


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder in use")
def test_a_folder_that_was_deleted_is_made_again(tmp_path):
    folder = RunDirectory(tmp_path / "out", "run", 10)
    folder.log({"share": 0.5})
    shutil.rmtree(tmp_path / "out")
    folder.log({"share": 0.6})
    final = folder.publish(FILES)
    assert names(final) == ["log.jsonl", *sorted(FILES)]
    if sys.platform == "linux":  # which keeps an open file
        assert (final / "log.jsonl").read_text() == '{"share": 0.5}\n{"share": 0.6}\n'
    folder.close()
    assert names(tmp_path / "out") == ["run"]


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder in use")
def test_a_run_that_its_folder_does_not_take_is_kept_elsewhere(tmp_path, monkeypatch):
    heard: list[str] = []
    folder = RunDirectory(tmp_path / "out", "run", 10, heard.append)
    folder.log({"share": 0.5})
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("no folder any more")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    final = folder.publish(FILES)
    assert final.name == "run" and final.parent.match(f"{tmp_path}/speedrun-runs-*")
    assert names(final) == ["log.jsonl", *sorted(FILES)]
    assert heard == [f"{tmp_path / 'out'}: Not a directory; the run is kept in {final}."]
    (tmp_path / "second").write_text("")
    folder = RunDirectory(tmp_path / "other", "run", 10)
    shutil.rmtree(tmp_path / "other")
    (tmp_path / "other").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "second"))
    with pytest.raises(ValueError, match=r"cannot be written \(Not a directory\), nor to"):
        folder.publish(FILES)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no fallocate here")
def test_room_for_weights_and_record_is_held_until_they_come(tmp_path):
    folder = RunDirectory(tmp_path, "run", 1000)
    held = folder.partial / "reserve"
    assert held.stat().st_blocks * 512 >= 1000 + (16 << 20)
    inode = held.stat().st_ino
    final = folder.publish(FILES)
    assert "reserve" not in names(final)
    weights = (final / "model.safetensors").stat()  # written where the room was held
    assert weights.st_ino == inode and weights.st_size == len(FILES["model.safetensors"])


def test_room_that_is_not_there_is_refused_before_the_clock(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(ValueError, match=r"No space left on device\); choose another"):
        RunDirectory(tmp_path, "run", 10)
    assert not names(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_during_the_race_costs_the_log_alone(tmp_path):
    folder = RunDirectory(tmp_path, "run", 10)
    folder._log = open("/dev/full", "w")  # noqa: SIM115, PTH123
    for share in range(2000):
        folder.log({"share": share})
    assert (folder.publish(FILES) / "model.safetensors").is_file()


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


def test_names_say_what_ran():
    assert run_name("some/where/mine", "2M", 3).endswith("-mine-2M-3")
