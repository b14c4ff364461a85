"""Local files that cannot be used: one line that names the path and says what to do."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speedrun.data.local import LocalFiles

GOOD = b'{"text": "a story"}\n'


def read_everything(path) -> None:
    source = LocalFiles(path)
    source.heldout(None)
    list(source.train())


def refusal(path) -> str:
    """What is said of the path; one line that names it."""
    with pytest.raises(ValueError) as caught:
        read_everything(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"--data {path}")
    return line


def test_a_missing_path(tmp_path):
    line = refusal(tmp_path / "nowhere")
    assert "no such file or folder; give a folder or .parquet, .jsonl, .txt file" in line


def test_an_empty_folder(tmp_path):
    assert "put .parquet, .jsonl, .txt files in it" in refusal(tmp_path)


def test_a_folder_of_other_things(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"png")
    (tmp_path / "deeper.txt").mkdir()
    assert "nothing to read there" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".txt"])
def test_an_empty_file(tmp_path, suffix):
    path = tmp_path / f"stories{suffix}"
    path.write_bytes(b"")
    assert "the file is empty; give one with text" in refusal(path)


def test_a_file_of_white_space(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_bytes(b"\n \n\t\n")
    assert "no documents in it; give a file with text" in refusal(path)


def test_a_wrong_extension(tmp_path):
    path = tmp_path / "stories.csv"
    path.write_text("a story")
    assert "allowed are .parquet, .jsonl, .txt files" in refusal(path)


def test_mixed_extensions(tmp_path):
    (tmp_path / "a.txt").write_text("a story")
    (tmp_path / "b.jsonl").write_bytes(GOOD)
    assert "files of one kind are allowed, found .jsonl, .txt" in refusal(tmp_path)


def test_only_held_out_files(tmp_path):
    (tmp_path / "validation-00000-of-00001.jsonl").write_bytes(GOOD)
    assert "only held-out files there; add a train file" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".txt"])
def test_text_that_is_not_utf8(tmp_path, suffix):
    path = tmp_path / f"stories{suffix}"
    path.write_bytes("na\u00efve".encode("latin-1"))
    assert "not UTF-8 text (byte 2); convert it to UTF-8 first" in refusal(path)


def test_text_that_is_utf16(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text("a story", encoding="utf-16")
    assert "not UTF-8 text (byte 0)" in refusal(path)


def test_a_bad_byte_beyond_the_first_mebibyte_is_named_by_its_place(tmp_path):
    path = tmp_path / "stories.txt"
    # A character of two bytes lies across the blocks that the file is read in.
    good = b"a story\n\n" * ((1 << 20) // 9) + b"abcd"[: (1 << 20) % 9 - 1] + "\u00fc".encode()
    assert len(good) == (1 << 20) + 1
    path.write_bytes(good + b"and on \xff and on")
    assert f"byte {len(good) + 7}" in refusal(path)


def test_text_that_ends_inside_a_character(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_bytes("\u00fc".encode()[:1])
    assert "not UTF-8 text (byte 0)" in refusal(path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{text: 1}", "not JSON"),
        (b'{"text": "cut', "not JSON"),
        (b"[" * 200_000, "not JSON"),  # the parser runs out of stack
        (b'{"story": "a"}', "expected"),
        (b'{"text": null}', "expected"),
        (b'{"text": 3}', "expected"),
        (b'["a"]', "expected"),
        (b'{"text": "half a pair \\ud800"}', "half a surrogate pair"),
        (b'{"text": "\\udc00 the other half"}', "half a surrogate pair"),
    ],
)
def test_a_bad_line_of_jsonl_is_named_by_its_number(tmp_path, line, why):
    path = tmp_path / "stories.jsonl"
    path.write_bytes(GOOD * 3 + line + b"\n" + GOOD)
    assert f"stories.jsonl, line 4: {why}" in refusal(path)


def test_a_whole_surrogate_pair_is_a_character(tmp_path):
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": "\U0001f98a"}))  # as \ud83e\udd8a
    (tmp_path / "valid.jsonl").write_bytes(GOOD)
    assert list(LocalFiles(tmp_path).train()) == ["\U0001f98a"]


def test_parquet_without_a_text_column(tmp_path):
    path = tmp_path / "stories.parquet"
    pq.write_table(pa.table({"id": [1], "title": ["a"], "story": ["b"]}), path)
    line = refusal(path)
    assert "no text column (columns: id, title, story); name the column" in line


def test_the_only_column_of_strings_is_the_text(tmp_path):
    pq.write_table(pa.table({"id": [1], "story": ["b"]}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"id": [1], "story": ["c"]}), tmp_path / "validation.parquet")
    assert list(LocalFiles(tmp_path).train()) == ["b"]


@pytest.mark.parametrize("texts", [[None, "a"], ["a", "b", None, "c"], [None, None]])
def test_parquet_with_null_texts(tmp_path, texts):
    path = tmp_path / "stories.parquet"
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), path, row_group_size=2)
    row = texts.index(None) + 1
    assert f"row {row}: null in column 'text'; drop such rows" in refusal(path)


def test_a_file_that_is_no_parquet(tmp_path):
    path = tmp_path / "stories.parquet"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "not a whole parquet file" in refusal(path)


def test_parquet_with_a_damaged_page(tmp_path):
    path = tmp_path / "stories.parquet"
    pq.write_table(pa.table({"text": [f"story {i}" for i in range(5000)]}), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    assert "not a whole parquet file" in refusal(path)


def test_parquet_that_was_cut_short(tmp_path):
    path = tmp_path / "stories.parquet"
    pq.write_table(pa.table({"text": [f"story {i}" for i in range(500)]}), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "not a whole parquet file" in refusal(path)
