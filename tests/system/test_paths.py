"""Cache that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from speedrun.system import paths


@pytest.fixture
def no_cache(tmp_path, monkeypatch) -> Path:
    """A file where the cache should be: nobody can write below it, root neither."""
    path = tmp_path / "a file"
    path.write_text("")
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(path))
    return path


def test_a_cache_that_can_be_written_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "new" / "a b"))
    assert paths.cache_dir() == tmp_path / "new" / "a b" and paths.cache_problem() is None
    assert list(paths.cache_dir().iterdir()) == [], "nothing is left of the trial"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(paths.CACHE_VARIABLE, "here")
    assert paths.cache_dir() == tmp_path / "here", "wherever the process goes later"


def test_a_private_one_takes_its_place_once(no_cache):
    made = paths.cache_dir()
    assert made.is_dir() and made != no_cache and made == paths.cache_dir()
    assert str(paths.cache_problem()).startswith(f"the cache {no_cache} cannot be written (")
    assert f"set {paths.CACHE_VARIABLE} to a folder" in str(paths.cache_problem())


def test_what_a_read_only_cache_has_is_still_used(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "not_writable", lambda folder: "read-only file system")
    for name in ("hub/heldout.json", "tokens/a/tokens.bin"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("kept")
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    assert (paths.cache_dir() / "hub" / "heldout.json").read_text() == "kept"
    assert not (paths.cache_dir() / "tokens").exists()


def test_a_full_disk_is_no_place_for_a_cache(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    file = MagicMock()
    file.__enter__.return_value.write = full
    file.__exit__.return_value = False
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: file)
    assert paths.not_writable(tmp_path) == "no space left on device"


@pytest.mark.parametrize("home", [None, "/dev/null"])
def test_no_home_is_no_error(tmp_path, home):
    """In a process of its own, whose temporary cache is gone after it."""
    script = (
        "import os; from speedrun.system import paths; print(paths.cache_dir());"
        " print(paths.cache_problem())"
    )
    names = ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", paths.CACHE_VARIABLE)
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    chosen = {"HOME": home} if home else {}
    if home is None:  # a user whom the system does not know
        script = "import pwd; pwd.getpwuid = {}.__getitem__; " + script
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**inherited, **chosen},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    folder, problem = done.stdout.splitlines()
    assert "cannot be written" in problem and Path(folder).is_absolute()
    assert not Path(folder).exists() and list(tmp_path.iterdir()) == []


def test_no_temporary_folder_is_one_line(no_cache, monkeypatch):
    def refuse(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(ValueError, match="set TMPDIR to a folder that can be written"):
        paths.private_dir("a")
