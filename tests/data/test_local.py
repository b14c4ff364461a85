"""Local files: every kind read alike, resumable anywhere, opened only when needed."""

import itertools
import json
import os
import sys

import pytest

from speedrun.data.local.source import LocalFiles

SHARDS = [
    [f"shard {shard} story {i}:\nünïcode 🦊 and a second line." for i in range(size)]
    for shard, size in enumerate((7, 1, 12))
]
TRAIN = list(itertools.chain(*SHARDS))
HELD_OUT = [f"held-out story {i}" for i in range(5)]


@pytest.fixture
def folder(write_file, kind, tmp_path):
    """Three training shards and a validation shard in the hub's layout."""
    for number, documents in enumerate(SHARDS):
        write_file(kind, tmp_path / "data" / f"train-{number:05d}-of-00003", documents)
    write_file(kind, tmp_path / "data" / "validation-00000-of-00001", HELD_OUT)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="names are text on other systems")
def test_names_that_are_no_text_are_read(folder):
    odd = folder / os.fsdecode(b"donn\xe9es")
    odd.mkdir()
    (folder / "data").rename(odd / "data")
    assert list(LocalFiles(odd).train()) == TRAIN and LocalFiles(odd).heldout(None) == HELD_OUT


def resumes_anywhere(path, expected: list[str]) -> bool:
    """Whether reading goes on from a state saved after any number of documents."""
    for num_drawn in range(len(expected) + 1):
        documents = LocalFiles(path).train()
        drawn = list(itertools.islice(documents, num_drawn))
        state = json.loads(json.dumps(documents.state()))
        assert drawn + list(LocalFiles(path).train(state)) == expected, num_drawn
    return True


def test_a_folder_in_the_hubs_layout_gives_its_documents_in_order(folder, tmp_path_factory):
    source = LocalFiles(folder)
    assert source.heldout(None) == HELD_OUT and source.heldout(2) == HELD_OUT[:2]
    assert source.name == folder.name.lower()
    assert resumes_anywhere(folder, TRAIN)
    link = tmp_path_factory.mktemp("links") / "stories"
    link.symlink_to(folder)
    assert list(LocalFiles(link).train()) == TRAIN


def test_a_single_file_holds_documents_out_by_hash(write_file, kind, tmp_path):
    documents = [f"story {i}" for i in range(60)]
    path = write_file(kind, tmp_path / "stories", documents)
    source = LocalFiles(path)
    trained, held_out = list(source.train()), source.heldout(None)
    assert source.by_hash and held_out and resumes_anywhere(path, trained)
    # Those that are held out keep their place.
    assert [text for text in trained if text] == [d for d in documents if d not in held_out]


def test_one_document_in_twenty_is_held_out_by_hash(write_file, tmp_path):
    documents = [f"story number {i}" for i in range(4000)]
    source = LocalFiles(write_file("jsonl", tmp_path / "a", documents))
    held_out = source.heldout(None)
    assert 140 <= len(held_out) <= 260  # 200, give or take four standard deviations
    assert held_out == [text for text in documents if text in set(held_out)]
    assert not set(held_out) & set(source.train())
    # A property of the text alone: not of the order, the file or the kind of file.
    other = LocalFiles(write_file("parquet", tmp_path / "b", documents[::-1]))
    assert set(other.heldout(None)) == set(held_out)


def test_shards_are_opened_only_when_needed(folder):
    source = LocalFiles(folder)
    shards = sorted((folder / "data").glob("train-*"))
    shards[1].unlink()
    shards[2].write_bytes(b"\xff" * 100)
    documents = source.train()
    assert [next(documents) for _ in SHARDS[0]] == SHARDS[0]
    with pytest.raises((ValueError, OSError)):
        next(documents)


def test_the_fingerprint_follows_the_training_content(folder, kind, write_file):
    before = LocalFiles(folder).train_fingerprint
    assert LocalFiles(folder).train_fingerprint == before
    write_file(kind, folder / "data" / "train-00001-of-00003", ["another story"])
    assert LocalFiles(folder).train_fingerprint != before


HELD_OUT_NAMES = ("validation-00000-of-00001", "TinyStoriesV2-GPT4-valid", "val", "test")
OTHER_NAMES = ("train-00001-of-00002", "testament", "contest", "valley-stories")


@pytest.mark.parametrize("name", HELD_OUT_NAMES + OTHER_NAMES)
def test_held_out_files_are_told_by_their_names(write_file, tmp_path, name):
    write_file("jsonl", tmp_path / "train", ["one", "two"])
    path = write_file("jsonl", tmp_path / name, ["other", "last"])
    (tmp_path / "._train.jsonl").write_bytes(b"\x00\x05\x16\x07")  # macOS leaves these
    source, is_held_out = LocalFiles(tmp_path), name in HELD_OUT_NAMES
    assert source.by_hash == (not is_held_out)
    assert len(list(source.train())) == (2 if is_held_out else 4)
    assert LocalFiles(path).by_hash, "one that is asked for by name is trained on"


@pytest.mark.parametrize(
    ("name", "content", "documents"),
    [
        (
            "marks.txt",
            "one\n\nstill one<|endoftext|>two<|endoftext|>\nthree\r\n<|endoftext|>\n\n",
            ["one\n\nstill one", "two", "three"],
        ),
        (
            "blank lines.txt",
            "\n\nA title\r\nand a line\r\n \t\r\n\r\nNext\n\nLast",
            ["A title\nand a line", "Next", "Last"],
        ),
        ("a.jsonl", '"one"\n\n{"text": "two", "source": "x"}\n', ["one", "two"]),
        ("a.jsonl", json.dumps({"text": "\U0001f98a"}), ["\U0001f98a"]),  # as \ud83e\udd8a
    ],
)
def test_text_parts_into_documents(tmp_path, name, content, documents):
    path = tmp_path / name
    path.write_bytes(content.encode())
    path.with_stem("valid").write_text('"held out"\n')
    assert list(LocalFiles(tmp_path).train()) == documents
