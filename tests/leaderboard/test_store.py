"""Stores: files are added whole or not at all, never changed, and links lead nowhere."""

import os
import sys
import uuid

import fsspec
import pytest
from helpers.made_records import snapshot

from leaderboard.store import Store

ID = "a" * 64
NAME = f"{ID}.json"


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path) -> Store:
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    return Store(f"memory://{uuid.uuid4().hex}")


def test_a_store_that_is_not_there_is_empty(store):
    assert store.names() == {} and store.size(NAME) is None
    with pytest.raises(FileNotFoundError):
        store.read(NAME, 10)


def test_the_first_file_of_a_name_stays(store):
    assert store.add(NAME, b"first")
    assert not store.add(NAME, b"second")
    assert store.read(NAME, 100) == b"first" and store.size(NAME) == 5
    assert list(store.names()) == [NAME]


def test_no_more_is_read_than_shows_that_it_is_too_much(store):
    store.add(NAME, b"x" * 1000)
    assert store.read(NAME, 10) == b"x" * 11
    assert store.add(f"weights/{ID}.safetensors", b"w")
    assert list(store.names()) == [NAME] and store.size(f"weights/{ID}.safetensors") == 1


def test_only_its_own_names_are_read(tmp_path):
    names = [
        NAME,
        f"{ID}.submission.json",
        f"{ID}.verification.{'b' * 12}.json",
        f"{'c' * 12}.data.json",
    ]
    strange = [
        "README.md",
        "A" * 64 + ".json",
        "a" * 63 + ".json",
        NAME + ".bak",
        f"{ID}.other.json",
        f"{NAME}\n",
        ".partial-x",
    ]
    for name in (*names, *strange):
        (tmp_path / name).write_text("{}")
    (tmp_path / f"{'d' * 64}.json").mkdir()
    (tmp_path / "weights").mkdir()
    store = Store(str(tmp_path))
    assert sorted(store.names()) == sorted(names)
    assert store.unexpected_files() == sorted([*strange, f"{'d' * 64}.json"])


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / NAME).symlink_to(tmp_path / "secret")
    store = Store(str(folder))
    assert store.names() == {} and store.unexpected_files() == [NAME]
    with pytest.raises(ValueError, match="cannot be read"):
        store.read(NAME, 100)
    assert not store.add(NAME, b"x")
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_folder_that_is_a_link_is_not_written_to(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "weights").symlink_to(tmp_path / "elsewhere")
    store = Store(str(tmp_path / "store"))
    before = snapshot(tmp_path)
    for act in (
        lambda: store.add(f"weights/{ID}.safetensors", b"w"),
        lambda: store.read(f"weights/{ID}.safetensors", 10),
        lambda: store.refuse_links("weights"),
    ):
        with pytest.raises(ValueError, match="a link, which may lead out"):
            act()
    assert snapshot(tmp_path) == before


def test_a_file_in_the_place_of_a_store_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(str(tmp_path / "file"))
    with pytest.raises(ValueError, match="cannot be read as a store"):
        store.names()
    with pytest.raises(ValueError, match="cannot write there"):
        store.add(NAME, b"x")


def test_a_stamp_changes_with_the_file(tmp_path):
    store = Store(str(tmp_path))
    store.add(NAME, b"one")
    before = store.names()[NAME]
    stat = (tmp_path / NAME).stat()
    (tmp_path / NAME).write_bytes(b"two")
    os.utime(tmp_path / NAME, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.names()[NAME] != before


@pytest.mark.parametrize("url", ["nowhere://bucket", "s3://bucket/records"])
def test_an_address_that_cannot_be_reached_is_one_line(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    with pytest.raises(ValueError) as caught:
        Store(url)
    line = str(caught.value)
    assert line.startswith(f"{url}: ") and "\n" not in line


def test_a_file_system_that_fails_is_one_line(monkeypatch):
    store = Store("memory://failing")

    def fail(*_, **__):
        raise RuntimeError("HTTP 503\nService unavailable")

    for name in ("ls", "cat_file", "exists", "size"):
        monkeypatch.setattr(store._fs, name, fail, raising=False)
    for act in (store.names, lambda: store.read(NAME, 9), lambda: store.add(NAME, b"x")):
        with pytest.raises(ValueError, match=r"cannot be used as a store \(HTTP 503 Service"):
            act()


def test_one_store_has_one_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    urls = (str(tmp_path / "s"), "s", "./s/", (tmp_path / "s").as_uri())
    assert len({Store(url).address for url in urls}) == 1
    assert Store("s").is_local
    assert not Store("memory://s").is_local
    assert isinstance(fsspec.filesystem("memory"), type(Store("memory://s")._fs))
