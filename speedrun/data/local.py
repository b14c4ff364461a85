"""Local documents: a folder in the hub's layout, or parquet, .jsonl and .txt files."""

import codecs
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from speedrun.data.heldout import is_held_out_by_hash
from speedrun.data.source import Counted, Documents

SEPARATOR = "<|endoftext|>"  # between stories in TinyStories' own .txt files
_PROBE_BYTES = 64 * 1024
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can spell it, UTF-8 cannot
# validation-00000-of-00001.parquet, TinyStories-valid.txt, val.jsonl, but not testament.txt
_HELD_OUT = re.compile(r"(^|[-_.])(validation|valid|val|test)($|[-_.])", re.IGNORECASE)


class LocalFiles:
    """Data source of local files. Raises ValueError for files that cannot be used."""

    origin = "local"

    def __init__(self, path: Path) -> None:
        files = _find(path)
        kind = files[0].suffix
        self._read = _READERS[kind]
        # A single file is trained on, whatever its name.
        is_held_out = [path.is_dir() and bool(_HELD_OUT.search(file.stem)) for file in files]
        self._heldout_files = [f for f, held in zip(files, is_held_out, strict=True) if held]
        self._train_files = [f for f, held in zip(files, is_held_out, strict=True) if not held]
        if not self._train_files:
            raise ValueError(f"--data {path}: only held-out files there; add a train file")
        self.by_hash = not self._heldout_files
        self.name = (path.resolve().stem if path.is_file() else path.resolve().name).lower()
        self.train_fingerprint = _identity(self._train_files)
        for file in (self._train_files[0], *self._heldout_files[:1]):
            if next((text for text in self._read(file, 0) if text.strip()), None) is None:
                raise ValueError(f"--data {file}: no documents in it; give a file with text")

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Training documents from the start, or from after a saved state."""
        start = state["doc"] if state else 0
        return Counted(self._train_documents(start), start)

    def _train_documents(self, start: int) -> Iterator[str]:
        """From document `start` on; held-out ones come as empty text, so that counts hold."""
        for file in self._train_files:
            in_file = start
            if file.suffix == ".parquet":  # its footer knows how many documents to jump over
                in_file, start = start, max(0, start - _parquet(file).metadata.num_rows)
                documents = self._read(file, in_file)
            else:
                documents = self._read(file, 0)
            for text in documents:
                if start and file.suffix != ".parquet":
                    start -= 1
                    continue
                yield "" if self.by_hash and is_held_out_by_hash(text) else text

    def heldout(self, limit: int | None) -> list[str]:
        """The first `limit` held-out documents (all for None): a file's, or drawn by hash."""
        if self.by_hash:
            texts = itertools.chain.from_iterable(self._read(f, 0) for f in self._train_files)
            texts = (text for text in texts if is_held_out_by_hash(text))
        else:
            texts = itertools.chain.from_iterable(self._read(f, 0) for f in self._heldout_files)
        return list(itertools.islice((text for text in texts if text.strip()), limit))


def _find(path: Path) -> list[Path]:
    kinds = ", ".join(_READERS)
    if not path.exists():
        raise ValueError(f"--data {path}: no such file or folder; give a folder or {kinds} file")
    if path.is_file():
        if path.suffix not in _READERS:
            raise ValueError(f"--data {path}: allowed are {kinds} files and folders of them")
        files = [path]
    else:
        for folder in (path / "data", path):
            files = sorted(f for f in folder.glob("[!.]*") if f.suffix in _READERS and f.is_file())
            if files:
                break
        if len({f.suffix for f in files}) > 1:
            found = ", ".join(sorted({f.suffix for f in files}))
            raise ValueError(f"--data {path}: files of one kind are allowed, found {found}")
    if not files:
        raise ValueError(f"--data {path}: nothing to read there; put {kinds} files in it")
    for file in files:
        if file.stat().st_size == 0:
            raise ValueError(f"--data {file}: the file is empty; give one with text")
    return files


def _identity(files: Sequence[Path]) -> str:
    """SHA-256 over names, sizes, heads and tails, so that gigabytes need not be read."""
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode("utf-8", "surrogateescape"))
        try:
            with file.open("rb") as stream:
                digest.update(stream.read(_PROBE_BYTES))
                stream.seek(max(0, size - _PROBE_BYTES))
                digest.update(stream.read(_PROBE_BYTES))
        except OSError as error:
            raise ValueError(
                f"--data {file}: cannot be read ({error.strerror}); give a file that can"
            ) from None
    return digest.hexdigest()


def _parquet(file: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(file)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _unusable_parquet(file, error) from None


def _unusable_parquet(file: Path, error: Exception) -> ValueError:
    why = " ".join(str(error).split())[:160]
    return ValueError(f"--data {file}: not a whole parquet file ({why}); download it again")


def _read_parquet(file: Path, start: int) -> Iterator[str]:
    import pyarrow
    import pyarrow.types

    parquet = _parquet(file)
    schema = parquet.schema_arrow
    texts = [
        field.name
        for field in schema
        if pyarrow.types.is_string(field.type) or pyarrow.types.is_large_string(field.type)
    ]
    if "text" not in texts and len(texts) != 1:
        raise ValueError(
            f"--data {file}: no text column (columns: {', '.join(schema.names) or 'none'});"
            " name the column with the documents 'text'"
        )
    column = "text" if "text" in texts else texts[0]
    groups, skip = [], start
    for group in range(parquet.num_row_groups):
        num_rows = parquet.metadata.row_group(group).num_rows
        if skip >= num_rows and not groups:
            skip -= num_rows
        else:
            groups.append(group)

    def documents() -> Iterator[str]:
        number = start - skip
        try:
            for batch in parquet.iter_batches(batch_size=256, row_groups=groups, columns=[column]):
                for text in batch.column(0).to_pylist():
                    number += 1
                    if text is None:
                        raise ValueError(
                            f"--data {file}, row {number}: null in column {column!r};"
                            " drop such rows or write empty text"
                        )
                    yield text
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _unusable_parquet(file, error) from None

    return itertools.islice(documents(), skip, None)


def _read_jsonl(file: Path, start: int) -> Iterator[str]:
    def documents() -> Iterator[str]:
        for number, line in enumerate(_lines(file), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:  # endless digits, endless brackets
                why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise ValueError(
                    f"--data {file}, line {number}: not JSON ({why}); mend or drop the line"
                ) from None
            text = value.get("text") if isinstance(value, dict) else value
            if not isinstance(text, str):
                raise ValueError(
                    f'--data {file}, line {number}: expected {{"text": "…"}} or a JSON string'
                )
            if _LONE_SURROGATE.search(text):
                raise ValueError(
                    f"--data {file}, line {number}: half a surrogate pair (such as \\ud800) is no"
                    " text; mend or drop the line"
                )
            yield text

    return itertools.islice(documents(), start, None)


def _read_txt(file: Path, start: int) -> Iterator[str]:
    """Documents separated by <|endoftext|> where the file's beginning has it, else blank lines."""
    with file.open("rb") as stream:
        by_mark = SEPARATOR.encode() in stream.read(1 << 20)

    def documents() -> Iterator[str]:
        lines: list[str] = []
        for line in _lines(file):
            ends = SEPARATOR in line if by_mark else not line.strip()
            if not ends:
                lines.append(line)
                continue
            before, *rest = line.split(SEPARATOR) if by_mark else [""]
            yield from filter(str.strip, ["".join([*lines, before]).strip("\r\n"), *rest[:-1]])
            lines = rest[-1:]
        yield from filter(str.strip, ["".join(lines).strip("\r\n")])

    return itertools.islice(documents(), start, None)


def _lines(file: Path) -> Iterator[str]:
    """Lines of a UTF-8 file, in bounded memory; ValueError names the place of a bad byte."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest, offset = "", 0
    with file.open("rb") as stream:
        while True:
            block = stream.read(1 << 20)
            num_pending = len(decoder.getstate()[0])  # a character cut by the block before
            try:
                rest += decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"--data {file}: not UTF-8 text (byte {offset - num_pending + error.start});"
                    " convert it to UTF-8 first"
                ) from None
            offset += len(block)
            *lines, rest = rest.split("\n")
            yield from (line + "\n" for line in lines)
            if not block:
                break
    if rest:
        yield rest


_READERS = {".parquet": _read_parquet, ".jsonl": _read_jsonl, ".txt": _read_txt}
