"""Local files: every kind read alike, resumable anywhere, opened only when needed."""

import itertools
import json

import pytest

from speedrun.data.local import LocalFiles

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


def test_a_folder_in_the_hubs_layout_gives_its_documents_in_order(folder):
    source = LocalFiles(folder)
    assert list(source.train()) == TRAIN
    assert source.heldout(None) == HELD_OUT
    assert source.heldout(2) == HELD_OUT[:2]
    assert source.name == folder.name.lower()


def test_a_single_file_gives_its_documents(write_file, kind, tmp_path):
    documents = [f"story {i}" for i in range(400)]
    source = LocalFiles(write_file(kind, tmp_path / "stories", documents))
    assert source.by_hash
    trained, held_out = list(source.train()), source.heldout(None)
    assert [text for text in trained if text] == [d for d in documents if d not in held_out]


@pytest.mark.parametrize("num_drawn", range(len(TRAIN) + 1))
def test_resuming_after_any_document_gives_the_rest(folder, num_drawn):
    documents = LocalFiles(folder).train()
    drawn = list(itertools.islice(documents, num_drawn))
    state = json.loads(json.dumps(documents.state()))
    assert drawn + list(LocalFiles(folder).train(state)) == TRAIN


def test_resuming_where_documents_are_held_out_by_hash_gives_the_rest(write_file, kind, tmp_path):
    path = write_file(kind, tmp_path / "stories", [f"story {i}" for i in range(60)])
    everything = list(LocalFiles(path).train())
    assert "" in everything  # held-out documents keep their place
    for num_drawn in range(len(everything) + 1):
        documents = LocalFiles(path).train()
        drawn = list(itertools.islice(documents, num_drawn))
        assert drawn + list(LocalFiles(path).train(documents.state())) == everything


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


@pytest.mark.parametrize(
    ("name", "is_held_out"),
    [
        ("validation-00000-of-00001", True),
        ("TinyStoriesV2-GPT4-valid", True),
        ("val", True),
        ("test", True),
        ("train-00001-of-00002", False),
        ("testament", False),
        ("contest", False),
        ("valley-stories", False),
    ],
)
def test_held_out_files_are_told_by_their_names(write_file, tmp_path, name, is_held_out):
    write_file("jsonl", tmp_path / "train", ["one", "two"])
    write_file("jsonl", tmp_path / name, ["other"])
    source = LocalFiles(tmp_path)
    assert source.by_hash == (not is_held_out)
    assert len(list(source.train())) == (2 if is_held_out else 3)


def test_a_file_asked_for_by_name_is_trained_on_whatever_its_name(write_file, tmp_path):
    path = write_file("jsonl", tmp_path / "valid", [f"story {i}" for i in range(100)])
    source = LocalFiles(path)
    assert source.by_hash
    assert any(source.train())


def test_hidden_files_are_passed_by(write_file, tmp_path):
    write_file("jsonl", tmp_path / "train", ["one", "two"])
    (tmp_path / "._train.jsonl").write_bytes(b"\x00\x05\x16\x07")  # macOS leaves these
    assert list(LocalFiles(tmp_path).train())


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


def test_marks_part_txt_documents_anywhere_in_a_line(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("one\n\nstill one<|endoftext|>two<|endoftext|>\nthree\r\n<|endoftext|>\n\n")
    (tmp_path / "valid.txt").write_text("held out\n")
    assert list(LocalFiles(tmp_path).train()) == ["one\n\nstill one", "two", "three"]


def test_blank_lines_part_txt_documents_where_there_are_no_marks(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes(b"\n\nA title\r\nand a line\r\n \t\r\n\r\nNext\n\nLast")
    (tmp_path / "valid.txt").write_text("held out\n")
    assert list(LocalFiles(tmp_path).train()) == ["A title\r\nand a line", "Next", "Last"]


def test_jsonl_lines_may_be_strings_and_blank_lines_are_passed_by(tmp_path):
    (tmp_path / "train.jsonl").write_text('"one"\n\n{"text": "two", "source": "x"}\n')
    (tmp_path / "valid.jsonl").write_text('"held out"\n')
    assert list(LocalFiles(tmp_path).train()) == ["one", "two"]


def test_a_link_to_a_folder_is_a_folder(folder, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "stories"
    link.symlink_to(folder)
    assert list(LocalFiles(link).train()) == TRAIN
