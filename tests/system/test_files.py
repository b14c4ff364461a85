"""Atomic writes."""

import os

import pytest

from speedrun.system.files import create_atomic, write_atomic


def test_a_file_is_created_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_atomic(path, "première")
    assert path.read_text(encoding="utf-8") == "première"
    write_atomic(path, b"2")
    assert path.read_bytes() == b"2" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_the_first_file_of_a_name_stays(tmp_path, monkeypatch, links):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "b.txt"
    assert create_atomic(path, "first") and not create_atomic(path, "second")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_atomic, create_atomic])
def test_a_write_that_fails_changes_nothing(tmp_path, monkeypatch, write):
    def full(_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "b.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
