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


def put(folder, *names: str) -> None:
    """Files of two documents each, which name the file."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'"{name}"\n"{name} again"\n')


LAYOUTS = {  # files; those trained on, those held out ("": by hash)
    "split folders": (("train/0.jsonl", "validation/0.jsonl"), "train/0", "validation/0"),
    "validation before test": (("train.json", "test.json", "val.json"), "train", "val"),
    "only test": (("train/0.jsonl", "test/0.jsonl"), "train/0", "test/0"),
    "dev": (("a.jsonl", "stories-dev.jsonl"), "a", "stories-dev"),
    "eval": (("Train.jsonl", "EVAL.jsonl"), "Train", "EVAL"),
    "config": (("en/train-0.jsonl", "en/valid-0.jsonl"), "en/train-0", "en/valid-0"),
    "hub": (("data/train-0.jsonl", "data/test-0.jsonl", "x.csv"), "data/train-0", "data/test-0"),
    "no split": (("a.jsonl", "b/c.jsonl"), "a b/c", ""),
    "beside": (("a.jsonl", "README.txt", "dataset_infos.json", ".x.jsonl", ".git/y.txt"), "a", ""),
    "numbers": (("s-10.jsonl", "s-9.jsonl", "test.jsonl"), "s-9 s-10", "test"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_layout_that_people_have_is_read(tmp_path, case):
    names, train, held_out = LAYOUTS[case]
    put(tmp_path, *names)
    source, said = LocalFiles(tmp_path), []
    source.announce(said.append)
    assert source.by_hash == (held_out == "")
    by_hash, source.by_hash = source.by_hash, False
    of_files = [text.partition(".")[0] for text in source.train() if "again" not in text]
    assert " ".join(of_files) == train
    if not by_hash:
        assert source.heldout(1)[0].startswith(f"{held_out}.") and held_out in said[0]
    assert ("Not used: test.json" in said[0]) == (case == "validation before test")


@pytest.mark.parametrize(("one", "other"), [("train", "validation"), ("train.json", "dev.json")])
def test_a_held_out_split_beside_the_path_is_mentioned(tmp_path, one, other):
    for name in (one, other):
        put(tmp_path, name if "." in name else f"{name}/0.jsonl")
    said: list[str] = []
    LocalFiles(tmp_path / one).announce(said.append)
    assert f"Not used: the held-out split beside it, {tmp_path / other}." in said[0]


@pytest.mark.slow  # imports datasets
def test_a_data_set_that_the_library_saved_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    parts = {name: datasets.Dataset.from_dict({"text": TRAIN}) for name in ("train", "test")}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    source = LocalFiles(tmp_path / "saved")
    assert list(source.train()) == TRAIN == source.heldout(None)
    assert resumes_anywhere(tmp_path / "saved", TRAIN)


def test_links_are_followed_and_broken_ones_named(tmp_path):
    put(tmp_path, "store/blob.jsonl")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "train.jsonl").symlink_to(tmp_path / "store" / "blob.jsonl")
    (tmp_path / "s" / "loop").symlink_to(tmp_path / "s")
    assert len(list(LocalFiles(tmp_path / "s").train())) == 2
    (tmp_path / "s" / "lost.jsonl").symlink_to(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"lost.jsonl: a link to nothing"):
        LocalFiles(tmp_path / "s")
