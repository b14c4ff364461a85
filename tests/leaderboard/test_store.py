"""Stores: files are added whole or not at all, never changed, and links lead nowhere."""

import sys
import uuid

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


def test_a_file_system_that_fails_is_one_line(monkeypatch):
    store = Store("memory://failing")

    def fail(*_, **__):
        raise RuntimeError("HTTP 503\nService unavailable")

    for name in ("ls", "cat_file", "exists", "size"):
        monkeypatch.setattr(store._fs, name, fail, raising=False)
    for act in (store.names, lambda: store.read(NAME, 9), lambda: store.add(NAME, b"x")):
        with pytest.raises(ValueError, match=r"cannot be used as a store \(HTTP 503 Service"):
            act()


def test_the_first_file_of_a_name_stays_and_no_more_is_read_than_shows_that_it_is_too_much(store):
    weights = f"weights/{ID}.safetensors"
    assert store.names() == {} and store.size(NAME) is None
    with pytest.raises(FileNotFoundError):
        store.read(NAME, 10)
    assert store.add(NAME, b"first") and not store.add(NAME, b"second") and store.add(weights, b"w")
    assert (store.read(NAME, 100), store.read(NAME, 2)) == (b"first", b"fir")
    assert (list(store.names()), store.size(NAME), store.size(weights)) == ([NAME], 5, 1)


def test_only_its_own_names_are_read(tmp_path):
    names = [NAME, f"{ID}.submission.json", f"{ID}.verification.{'b' * 12}.json"]
    names += [f"{'c' * 12}.data.json"]
    strange = ["README.md", "A" * 64 + ".json", "a" * 63 + ".json", f"{NAME}.bak", f"{NAME}\n"]
    strange += [f"{ID}.other.json", ".partial-x"]
    for name in (*names, *strange):
        (tmp_path / name).write_text("{}")
    for folder in (f"{'d' * 64}.json", "weights"):
        (tmp_path / folder).mkdir()
    store = Store(str(tmp_path))
    assert sorted(store.names()) == sorted(names)
    assert store.unexpected_files() == sorted([*strange, f"{'d' * 64}.json"])


def test_links_are_not_followed(tmp_path):
    for name in ("store", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "store" / NAME).symlink_to(tmp_path / "secret")
    (tmp_path / "store" / "weights").symlink_to(tmp_path / "elsewhere")
    store, before = Store(str(tmp_path / "store")), snapshot(tmp_path)
    assert store.names() == {} and NAME in store.unexpected_files()
    with pytest.raises(ValueError, match="cannot be read"):
        store.read(NAME, 100)
    assert not store.add(NAME, b"x")
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
    with pytest.raises(ValueError, match="cannot be read as a store"):
        Store(str(tmp_path / "file")).names()
    for folder in ("file", "file/inner"):
        with pytest.raises(ValueError, match="cannot"):
            Store(str(tmp_path / folder)).add(NAME, b"x")


@pytest.mark.parametrize("url", ["nowhere://bucket", "s3://bucket/records"])
def test_an_address_that_cannot_be_reached_is_one_line(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    with pytest.raises(ValueError, match=rf"^{url}: [^\n]+$"):
        Store(url)


def test_one_store_has_one_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    urls = (str(tmp_path / "s"), "s", "./s/", (tmp_path / "s").as_uri())
    assert len({Store(url).address for url in urls}) == 1
    assert Store("s").is_local and not Store("memory://s").is_local


def test_a_file_is_replaced_only_where_it_is_asked_for(store):
    weights = f"weights/{ID}.safetensors"
    assert not store.has_other(weights, b"own")
    assert store.add(weights, b"bad") and not store.add(weights, b"own")
    assert store.has_other(weights, b"own") and not store.has_other(weights, b"bad")
    assert store.add(weights, b"own", replace=True) and store.read(weights, 9) == b"own"
