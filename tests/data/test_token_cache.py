"""The token cache: what a killed run leaves behind is cut back to its last saved state."""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from speedrun.data import loader
from speedrun.data.token_cache import TokenCache
from speedrun.system import locks

TOKENS = np.arange(1000, dtype=np.uint16)
IDENTITY = "1" * 64
DROPPED = [(7, "2" * 64), (7, "3" * 64)]
STATE = {"num_tokens": 600, "dropped": DROPPED, "exhausted": False, "source_state": {"doc": 60}}
ANEW = {"num_tokens": 0, "dropped": [], "exhausted": False, "source_state": None}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A cache of 600 tokens, saved and closed."""
    with closing(TokenCache(tmp_path / "cache", IDENTITY)) as cache:
        for start in range(0, 600, 100):
            cache.append(TOKENS[start : start + 100])
            assert (cache.read(start // 2, start + 100) == TOKENS[start // 2 : start + 100]).all()
        assert len(cache.read(0, 0)) == 0
        cache.dropped, cache.source_state = list(DROPPED), {"doc": 60}
        cache.save()
    return tmp_path / "cache"


@contextmanager
def opened(folder: Path, num_tokens: int, identity: str = IDENTITY) -> Iterator[TokenCache]:
    """The cache of a folder, which begins with so many tokens or anew, and can be written to."""
    with closing(TokenCache(folder, identity)) as cache:
        found = {name: getattr(cache, name) for name in STATE}
        assert found == (STATE if num_tokens else ANEW)
        assert (cache.folder / "tokens.bin").stat().st_size == 2 * num_tokens
        cache.append(TOKENS[num_tokens:])
        assert (cache.read(0, 1000) == TOKENS).all()
        yield cache


def test_a_saved_cache_opens_as_it_was(folder):
    with opened(folder, 600) as cache:
        assert not cache.is_damaged
        cache.save()
    with closing(TokenCache(folder, IDENTITY)) as cache:  # what was added is hashed, too
        assert cache.num_tokens == 1000 and (cache.read(0, 1000) == TOKENS).all()


def test_tokens_after_the_last_save_are_cut_off(folder):
    with (folder / "tokens.bin").open("ab") as file:
        file.write(b"\xff" * 333)  # an odd number of bytes: a token torn in two
    with opened(folder, 600):
        pass


def flip(folder: Path) -> None:
    """Another token in the middle, in a file of the same size and time."""
    path = folder / "tokens.bin"
    facts, raw = path.stat(), bytearray(path.read_bytes())
    raw[600] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def edit_state(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text())
        (folder / "state.json").write_text(json.dumps(state | changes))

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        flip,
        edit_state(source_state={"doc": 61}),
        edit_state(num_tokens=500),
        edit_state(exhausted=True),
        edit_state(dropped=[]),
    ],
    ids=["token", "position", "length", "end", "dropped"],
)
def test_an_edited_cache_begins_anew_and_says_so(folder, edit):
    edit(folder)
    with opened(folder, 0) as cache:
        assert cache.is_damaged
        cache.save()
    with closing(TokenCache(folder, IDENTITY)) as cache:
        assert not cache.is_damaged and cache.num_tokens == 1000


def test_a_cache_of_other_data_begins_anew(folder):
    """A folder that was given the name of another one: whole, and of other documents."""
    with opened(folder, 0, identity="5" * 64) as cache:
        assert not cache.is_damaged


TORN = [(b"", 1200), (b'{"num_tok', 1200), (b"[]", 1200), (b"{}", 1200), (b"\xff\xfe", 1200)]


@pytest.mark.parametrize(
    ("state", "num_bytes"), [*TORN, (None, 1200), (b"as saved", 0), (b"as saved", 1199)]
)
def test_a_torn_cache_begins_anew(folder, state, num_bytes):
    if state is None:
        (folder / "state.json").unlink()
    elif state != b"as saved":
        (folder / "state.json").write_bytes(state)
    with (folder / "tokens.bin").open("r+b") as file:
        file.truncate(num_bytes)
    with opened(folder, 0) as cache:
        assert not cache.is_damaged


def test_a_cache_without_tokens_begins_anew(folder):
    (folder / "tokens.bin").unlink()
    with opened(folder, 0):
        pass


def test_a_cache_in_use_is_left_alone(folder):
    with closing(TokenCache(folder, IDENTITY)) as first:
        with opened(folder, 0) as second:
            private = second.folder
            assert private != folder
            second.save()
        assert not private.exists()
        assert (first.read(0, 600) == TOKENS[:600]).all()
    with opened(folder, 600) as third:
        assert third.folder == folder


@pytest.mark.parametrize("cause", ["folder", "locks", "tokens"])
def test_a_folder_that_does_not_serve_gives_a_private_cache(folder, monkeypatch, cause):
    def no_locks(path):
        raise OSError(errno.ENOLCK, "No locks available")

    place = folder
    if cause == "folder":
        place = folder / "state.json" / "cache"
    elif cause == "locks":
        monkeypatch.setattr(locks, "acquire", no_locks)
    else:
        (folder / "tokens.bin").unlink()
        (folder / "tokens.bin").mkdir()
    with opened(place, 0) as cache:
        cache.save()
        assert cache.problem and cache.folder != place


class Disk:
    """A file on a disk with room for so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> int:
        done = self.file.write(data[: self.room])
        self.room -= done
        if done == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return done


@pytest.mark.parametrize("room", [0, 300, 399, 400])
def test_a_disk_that_is_full_costs_only_the_next_run(folder, room):
    with closing(TokenCache(folder, IDENTITY)) as cache:
        cache._file = cast(Any, Disk(cache._file, room))
        for start in range(600, 1000, 100):
            cache.append(TOKENS[start : start + 100])
            for first in (0, 550, start, start + 50):
                assert (cache.read(first, start + 100) == TOKENS[first : start + 100]).all()
        cache.dropped.append((999, "4" * 64))
        cache.save()
        assert cache.problem == "no space left on device"
    with opened(folder, 600):
        pass


def test_a_state_that_cannot_be_written_costs_only_the_next_run(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(TokenCache(folder, IDENTITY)) as cache:
        cache.append(TOKENS[600:])
        with monkeypatch.context() as patched:
            patched.setattr("speedrun.data.token_cache.write_atomic", full)
            cache.save()
        assert (cache.read(0, 1000) == TOKENS).all() and cache.problem
    with opened(folder, 600):
        pass


def test_where_no_disk_serves_the_tokens_stay_in_memory(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")

    def refuse(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with closing(TokenCache(tmp_path / "file" / "cache", IDENTITY)) as cache:
        cache.append(TOKENS[:500])
        cache.append(TOKENS[500:])
        cache.save()
        assert (cache.read(100, 900) == TOKENS[100:900]).all()


def test_a_run_killed_at_any_moment_loses_nothing_of_the_stream(
    tmp_path, open_stream, fake_source, monkeypatch
):
    monkeypatch.setattr(loader, "_SAVE_EVERY_DOCS", 32)
    documents = [f"Story {i} is about number {i * i}." for i in range(500)]
    with open_stream(fake_source(documents), folder=tmp_path / "whole") as stream:
        expected = [stream.next_rows() for _ in range(100)]
    with open_stream(fake_source(documents), folder=tmp_path / "killed") as stream:
        for number in range(40):
            stream.next_rows()
            # What the disk holds now is what a killed process leaves; state first, as it trails.
            time.sleep(0.002)
            (folder,) = (tmp_path / "killed").iterdir()
            copy = tmp_path / f"copy-{number}" / folder.name
            copy.mkdir(parents=True)
            for name in ("state.json", "tokens.bin"):
                if (folder / name).is_file():
                    shutil.copy(folder / name, copy / name)
    states = []
    for number in range(0, 40, 5):
        source = fake_source(documents)
        with open_stream(source, folder=tmp_path / f"copy-{number}") as stream:
            assert all((stream.next_rows() == rows).all() for rows in expected)
        states += source.resumed
    assert any(states)  # some copies did begin from a saved state
