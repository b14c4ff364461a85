"""Files that people have: each gives its documents, or one line that says what to do."""

import bz2
import gzip
import io
import itertools
import json
import lzma
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speedrun.data.local.source import LocalFiles

DOCS = ["Once upon a time", "A second störy\nof two lines", 'Said "yes", they did', "The end"]
JSONL = "".join(json.dumps({"text": text}) + "\n" for text in DOCS).encode()
MARKED = "\n<|endoftext|>\n".join(DOCS)
LINES = [text.replace("\n", " ") for text in DOCS]
ONE_A_LINE = "\n".join(LINES).encode()
CSV = b'id,text\n1,"Once upon a time"\n2,"A second st\xc3\xb6ry\nof two lines"\n'
CSV += b'3,"Said ""yes"", they did"\n4,The end\n'


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, row_group_size=3)
    return buffer.getvalue()


def zstd(raw: bytes) -> bytes:
    return pa.compress(raw, codec="zstd", asbytes=True)


def ipc(make, table) -> bytes:
    buffer = io.BytesIO()
    with make(buffer, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return buffer.getvalue()


TABLE = pa.table({"text": DOCS})
NESTED = [{"story": text, "n": 1} for text in DOCS]
OBJECTS = [{"id": i, "meta": {"story": text}} for i, text in enumerate(DOCS)]

READ = {  # name of the file, content, --text-field, documents
    "string": ("s.parquet", parquet(text=DOCS), None, DOCS),
    "large strings": ("s.parquet", parquet(text=pa.array(DOCS, pa.large_string())), None, DOCS),
    "view": ("s.parquet", parquet(text=pa.array(DOCS, pa.string_view())), None, DOCS),
    "dictionary": ("s.parquet", parquet(text=pa.array(DOCS).dictionary_encode()), None, DOCS),
    "blank rows": ("s.parquet", parquet(text=["", *DOCS, " \n"]), None, DOCS),
    "sole column": ("s.parquet", parquet(id=[1, 2, 3, 4], story=DOCS), None, DOCS),
    "named": ("s.parquet", parquet(title=LINES, story=DOCS), "story", DOCS),
    "nested": ("s.parquet", parquet(id=LINES, meta=NESTED), "meta.story", DOCS),
    "dotted": ("s.parquet", parquet(id=LINES, **{"meta.story": DOCS}), "meta.story", DOCS),
    "arrow stream": ("s.arrow", ipc(pa.ipc.new_stream, TABLE), None, DOCS),
    "feather": ("s.arrow", ipc(pa.ipc.new_file, TABLE), None, DOCS),
    "jsonl": ("s.jsonl", JSONL, None, DOCS),
    "ndjson": ("s.NDJSON", JSONL, None, DOCS),
    "json lines": ("s.json", JSONL, None, DOCS),
    "json array": (
        "s.json",
        json.dumps([{"text": t} for t in DOCS], indent=1).encode(),
        None,
        DOCS,
    ),
    "json strings": ("s.json", f" \n{json.dumps(DOCS)}\n".encode(), None, DOCS),
    "array as jsonl": ("s.jsonl", json.dumps(DOCS, ensure_ascii=False).encode(), None, DOCS),
    "sole key": ("s.jsonl", JSONL.replace(b'"text"', b'"content"'), None, DOCS),
    "nested key": ("s.json", json.dumps(OBJECTS).encode(), "meta.story", DOCS),
    "gz": ("s.jsonl.gz", gzip.compress(JSONL), None, DOCS),
    "gz of parts": (
        "s.jsonl.gz",
        gzip.compress(JSONL[:30]) + gzip.compress(JSONL[30:]),
        None,
        DOCS,
    ),
    "zst": ("s.jsonl.zst", zstd(JSONL), None, DOCS),
    "bz2": ("s.txt.bz2", bz2.compress(MARKED.encode()), None, DOCS),
    "xz": ("S.TXT.XZ", lzma.compress(MARKED.encode()), None, DOCS),
    "csv": ("s.csv", CSV, None, DOCS),
    "csv of Excel": ("s.csv", CSV.decode().replace("\n", "\r\n").encode("utf-8-sig"), None, DOCS),
    "semicolons": ("s.csv", b"id;story\n1;one, two\n2;three\n", None, ["one, two", "three"]),
    "tsv": ("s.tsv", b"text\tid\none\t1\ntwo\t2\n", None, ["one", "two"]),
    "marks": ("STORIES.TXT", MARKED.encode(), None, DOCS),
    "blank lines": ("s.txt", "\n \n".join(DOCS).encode(), None, DOCS),
    "a line each": ("s.txt", ONE_A_LINE, None, LINES),
    "a slip": ("s.txt", b"\n".join(b"%d" % i for i in range(99)) + b"\n\nlast", None, 100),
    "CR LF": ("s.txt", MARKED.replace("\n", "\r\n").encode(), None, DOCS),
    "BOM": ("s.txt", MARKED.encode("utf-8-sig"), None, DOCS),
    "BOM jsonl": ("s.jsonl", b"\xef\xbb\xbf" + JSONL, None, DOCS),
    "UTF-16": ("s.txt", MARKED.encode("utf-16"), None, DOCS),
    "UTF-16 big": ("s.txt", b"\xfe\xff" + MARKED.encode("utf-16-be"), None, DOCS),
    "UTF-32": ("s.jsonl", JSONL.decode().encode("utf-32"), None, DOCS),
    "late mark": ("s.txt", b"word " * 300_000 + b"\n\n<|endoftext|>a\n\nb", None, 3),
    "endless line": ("s.txt", b"word " * 60_000, None, 74),
    "no spaces": ("s.txt", b"a" * 300_000, None, 74),
    "a long line": ("s.txt", ONE_A_LINE + b"\n" + b"w " * 600_000 + b"\n" + b"x\n" * 99, None, 105),
}

REFUSED = {  # name of the file, content, --text-field, said
    "two columns": ("s.parquet", parquet(a=DOCS, b=DOCS), None, "--text-field b"),
    "no such column": (
        "s.parquet",
        parquet(text=DOCS),
        "story",
        "no field 'story'; there are 'text'",
    ),
    "binary": ("s.parquet", parquet(text=[b"a"]), None, "column 'text' holds binary, not strings"),
    "lists": ("s.parquet", parquet(text=[["a"]]), None, "holds list<element: string>, not strings"),
    "numbers": ("s.parquet", parquet(id=[1]), None, "no field holds text; there are 'id'"),
    "null": ("s.parquet", parquet(text=["a", "b", None]), None, "row 3: null in column 'text'"),
    "nested null": (
        "s.parquet",
        parquet(m=[{"t": "a"}, None]),
        "m.t",
        "row 2: null in column 'm.t'",
    ),
    "no arrow": ("s.arrow", b"not arrow at all", None, "not a whole arrow file"),
    "null text": ("s.jsonl", JSONL + b'{"text": null}', None, "line 5: expected a string in field"),
    "no text": ("s.jsonl", JSONL + b'{"story": "x"}', None, "line 5: expected a string in field"),
    "two keys": ("s.jsonl", b'{"a": "x", "b": "y"}', None, "text in 'a', 'b': name the one"),
    "id and inner": ("s.json", json.dumps([{"id": "1", "m": {"t": "a"}}]).encode(), None, "'m.t'"),
    "inner key": ("s.jsonl", b'{"a": {"b": "y"}}', None, "text in 'a.b': name the one"),
    "pretty": ("s.json", b'{\n "text": "a"\n}', None, "write one object a line, or an array"),
    "array cut": ("s.json", b'[{"text": "a"},\n{"text": "b', None, "element 2: not JSON"),
    "no comma": ("s.json", b'["a" "b"]', None, "element 1: not JSON (no comma after it)"),
    "two arrays": ("s.json", b'["a"]\n["b"]', None, "element 1: more after the array"),
    "array number": ("s.json", b'["a", 3]', None, "element 2: expected"),
    "gz cut": ("s.jsonl.gz", gzip.compress(JSONL)[:-9], None, "cannot be unpacked"),
    "no gz": ("s.txt.gz", MARKED.encode(), None, "cannot be unpacked"),
    "zst cut": ("s.txt.zst", zstd(MARKED.encode() * 999)[:-9], None, "cannot be unpacked"),
    "open quote": ("s.csv", CSV + b'5,"open\n', None, "not CSV"),
    "wide row": ("s.csv", CSV + b"5,a,b\n", None, "row 5: 3 fields, the header has 2"),
    "field of txt": ("s.txt", MARKED.encode(), "story", "plain text without fields; leave it out"),
    "field of strings": ("s.json", b'["a", "b"]', "q", "a value without fields; leave it out"),
    "NUL": ("s.txt", b"a story\0 and more", None, "NUL at byte 7"),
    "Latin-1": ("s.csv", "text\nnaïve".encode("latin-1"), None, "not UTF-8 text (byte 7)"),
    "odd UTF-16": ("s.txt", MARKED.encode("utf-16") + b"x", None, "not UTF-16 text (byte"),
    "Word": ("s.docx", b"PK", None, "allowed are .parquet, .arrow, .jsonl"),
    "zip": ("s.jsonl.zip", b"PK", None, "allowed are .parquet, .arrow, .jsonl"),
}


@pytest.fixture
def put(tmp_path):
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("case", READ)
def test_a_file_that_people_have_is_read(put, case):
    name, content, field, expected = READ[case]
    source, said = LocalFiles(put(name, content), field), []
    source.by_hash = False  # every document is given
    documents = list(source.train())
    assert expected in (documents, len(documents))
    source.announce(said.append)
    assert len(said) == 1 and f"Data: {len(documents)} documents in {name}" in said[0]


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(put, case):
    name, content, field, says = REFUSED[case]
    path = put(name, content)
    with pytest.raises(ValueError) as caught:
        LocalFiles(path, field).announce(print)
    line = str(caught.value)
    assert says in line and "\n" not in line and (str(path) in line or field in line)
    assert len(line) < 400 + len(str(path))


def fingerprint(path: Path, field: str | None = None) -> str:
    return LocalFiles(path, field).train_fingerprint


def test_the_same_documents_are_the_same_data_in_every_format(put):
    same = [case for case, (*_, documents) in READ.items() if documents == DOCS]
    assert len(same) > 25
    found = {fingerprint(put(READ[case][0], READ[case][1]), READ[case][2]) for case in same}
    assert len(found) == 1
    lines = put("a.jsonl", "\n".join(json.dumps(text) for text in LINES).encode())
    assert fingerprint(lines) == fingerprint(put("b.txt", b"\n \n".join([b"", ONE_A_LINE, b""])))
    assert fingerprint(lines) not in found


def test_shards_folders_and_names_have_no_part_in_the_identity(tmp_path):
    def folder(name: str, files: dict[str, list[str]]) -> Path:
        for file, documents in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(text) + "\n" for text in documents))
        return tmp_path / name

    many = [f"story {i}" for i in range(20)]
    held_out = {"validation.jsonl": ["held out", "also"]}
    found = {
        fingerprint(folder("one", {"train.jsonl": many, **held_out})),
        fingerprint(
            folder(
                "Two",
                {f"data/{i}.json": [t] for i, t in enumerate(many)}
                | {"data/eval.json": ["other", "also"]},
            )
        ),
        fingerprint(
            folder(
                "3",
                {"train/a.jsonl": many[:7], "train/b.jsonl": many[7:], "dev/x.jsonl": ["held out"]},
            )
        ),
    }
    assert len(found) == 1
    edited = [*many[:-1], "story 19."]
    assert fingerprint(folder("4", {"train.jsonl": edited, **held_out})) not in found
    assert fingerprint(folder("5", {"train.jsonl": many[::-1], **held_out})) not in found
    assert fingerprint(folder("6", {"train.jsonl": many})) not in found, "held out by hash"


def test_an_edit_is_seen_though_size_and_time_stay(put, monkeypatch):
    path = put("s.txt", b"one\ntwo\nthree\n" * 50)
    before = fingerprint(path)
    monkeypatch.setattr("speedrun.data.local.remembered._SETTLED_S", 0.0)
    stat = path.stat()
    assert fingerprint(path) == before
    path.write_bytes(path.read_bytes().replace(b"two", b"TWO", 1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint(path) != before


@pytest.mark.parametrize("num_read", [10, 190])
def test_a_file_that_changes_while_it_is_read_ends_the_documents(put, num_read):
    """Of the same size, and with its old time: what is trained on is what was identified."""
    path = put("s.jsonl", b"".join(b'{"text": "story %03d"}\n' % i for i in range(200)))
    source = LocalFiles(path)
    source.by_hash = False
    assert source.survey.num_docs == [200]
    stat, documents = path.stat(), source.train()
    read = list(itertools.islice(documents, num_read))
    path.write_bytes(path.read_bytes().replace(b"story 199", b"STORY 199"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(ValueError, match="it changed after it was read whole: race again"):
        read += documents
    assert "STORY 199" not in read
    with pytest.raises(ValueError, match="it changed"):
        next(source.train())
    assert len(list(LocalFiles(path).train())) == 200  # known by another hash


def test_a_file_is_read_whole_once(put, monkeypatch):
    monkeypatch.setattr("speedrun.data.local.remembered._SETTLED_S", -1.0)
    path = put("s.jsonl", JSONL)
    before = fingerprint(path)
    monkeypatch.setattr(
        "speedrun.data.local.readers.reader.Reader.canonical", lambda self: pytest.fail("read")
    )
    assert fingerprint(path) == before
    monkeypatch.setenv("SPEEDRUN_CACHE", str(path))  # a file: nothing can be kept there
    monkeypatch.undo()


def test_text_is_parted_alike_wherever_its_blocks_end(put, monkeypatch):
    documents = [f"  line {i}\n\tand {'x' * (i % 7)}\n y" for i in range(60)]
    for parting in ("\n<|endoftext|>\n", "\n\n", "\r\n \r\n\n\n", "\n\n \t\n"):
        path = put("s.txt", parting.join(documents).encode())
        for size in (3, 64, 1 << 20):
            monkeypatch.setattr("speedrun.data.local.encoding._BLOCK_BYTES", size)
            source = LocalFiles(path)
            source.by_hash = False
            assert list(source.train()) == documents, (parting, size)


def test_a_long_document_is_cut_alike_wherever_its_blocks_end(put, monkeypatch):
    monkeypatch.setattr("speedrun.data.local.readers.txt._LONGEST", 50)
    text = "<|endoftext|>".join(" ".join(f"w{i}" for i in range(n)) for n in (80, 3, 12, 13, 14))
    path, found = put("s.txt", text.encode()), []
    for size in (1, 7, 1 << 20):
        monkeypatch.setattr("speedrun.data.local.encoding._BLOCK_BYTES", size)
        source = LocalFiles(path)
        source.by_hash = False
        found.append(list(source.train()))
    assert found[0] == found[1] == found[2] and max(map(len, found[0])) <= 50
    assert " ".join(found[0]).split() == text.replace("<|endoftext|>", " ").split()
