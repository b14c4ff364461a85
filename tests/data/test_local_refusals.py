"""Local files that cannot be used: one line that names the path and says what to do."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speedrun.data.local.source import LocalFiles

GOOD = b'{"text": "a story"}\n'
BLOCK = 1 << 20  # that a text file is read in


def parquet(columns: dict, row_group_size: int | None = None) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, row_group_size=row_group_size)
    return buffer.getvalue()


def texts(*values: str | None) -> bytes:
    return parquet({"text": pa.array(values, pa.string())}, row_group_size=2)


STORIES = parquet({"text": [f"story {i}" for i in range(5000)]})
DAMAGED = STORIES[:4] + bytes(1996) + STORIES[2000:]
# A character of two bytes lies across the blocks.
ACROSS = b"a story\n\n" * (BLOCK // 9) + b"abcd"[: BLOCK % 9 - 1] + "ü".encode()
assert len(ACROSS) == BLOCK + 1

FILES = {  # name, content, what is said
    "empty parquet": ("stories.parquet", b"", "the file is empty; give one with text"),
    "empty jsonl": ("stories.jsonl", b"", "the file is empty; give one with text"),
    "empty txt": ("stories.txt", b"", "the file is empty; give one with text"),
    "white space": ("stories.txt", b"\n \n\t\n", "no documents in it; give a file with text"),
    "extension": ("stories.docx", b"a story", "allowed are .parquet, .arrow, .jsonl, "),
    "latin jsonl": ("stories.jsonl", "naïve".encode("latin-1"), "not UTF-8 text (byte 2)"),
    "latin txt": ("stories.txt", "naïve".encode("latin-1"), "(byte 2); convert it to UTF-8 first"),
    "utf-16": ("stories.txt", "a story".encode("utf-16-le"), "NUL at byte 1: a binary file, or"),
    "cut character": ("stories.txt", "ü".encode()[:1], "not UTF-8 text (byte 0)"),
    "far byte": ("stories.txt", ACROSS + b"and on \xff and on", f"byte {len(ACROSS) + 7}"),
    "columns": (
        "stories.parquet",
        parquet({"id": [1], "title": ["a"], "story": ["b"]}),
        "no field 'text', and text in 'title', 'story': name the one with the documents: --text-f",
    ),
    "null 1": ("s.parquet", texts(None, "a"), "row 1: null in column 'text'; drop such rows"),
    "null 3": ("s.parquet", texts("a", "b", None, "c"), "row 3: null in column 'text'"),
    "a pointer": ("s.parquet", b"version https://git-lfs\n", "a pointer of Git LFS, no data"),
    "damaged": (
        "s.parquet",
        STORIES[:4] + bytes(1996) + STORIES[2000:],
        "not a whole parquet file",
    ),
    "cut short": ("s.parquet", texts("a story")[:-100], "not a whole parquet file"),
}


def refusal(path) -> str:
    """The error for a path; one line that names it."""
    with pytest.raises(ValueError) as caught:
        source = LocalFiles(path)
        source.heldout(None)
        list(source.train())
    line = str(caught.value)
    assert "\n" not in line and line.startswith(f"--data {path}")
    return line


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_used(tmp_path, case):
    name, content, says = FILES[case]
    (tmp_path / name).write_bytes(content)
    assert says in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (None, "no such file or folder; allowed are folders and .parquet, .arrow, "),
        ([], "nothing to read there; put .parquet, "),
        (["photo.png"], "nothing to read there"),
        (["a.txt", "b.jsonl"], "files of one kind are allowed, found .jsonl, .txt"),
        (["a.jsonl", "a.jsonl.gz"], "a.jsonl and a.jsonl.gz look like the same documents"),
        (["validation-00000-of-00001.jsonl"], "only held-out files there; add a train file"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path, names, says):
    folder = tmp_path / "stories"
    if names is not None:
        (folder / "deeper.txt").mkdir(parents=True)  # an empty folder, no file
    for name in names or []:
        (folder / name).write_bytes(GOOD)
    assert says in refusal(folder)


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


def test_the_only_column_of_strings_is_the_text(tmp_path):
    (tmp_path / "train.parquet").write_bytes(parquet({"id": [1], "story": ["b"]}))
    (tmp_path / "validation.parquet").write_bytes(parquet({"id": [1], "story": ["c"]}))
    assert list(LocalFiles(tmp_path).train()) == ["b"]
