"""Local documents: a folder in the hub's layout, or parquet, .jsonl and .txt files."""

import bisect
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
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
        self._read = _READERS[files[0].suffix]
        # A single file is trained on, whatever its name.
        self._heldout_files = [f for f in files if path.is_dir() and _HELD_OUT.search(f.stem)]
        self._train_files = [file for file in files if file not in self._heldout_files]
        if not self._train_files:
            raise ValueError(f"--data {path}: only held-out files there; add a train file")
        self.by_hash = not self._heldout_files
        self.name = (path.resolve().stem if path.is_file() else path.resolve().name).lower()
        self.train_fingerprint = _identity(self._train_files)
        for file in (self._train_files[0], *self._heldout_files[:1]):
            if not any(text.strip() for text in self._read(file)):
                raise ValueError(f"--data {file}: no documents in it; give a file with text")

    def train(self, state: dict[str, Any] | None = None) -> Documents:
        """Training documents from the start, or from after a saved state."""
        start = state["doc"] if state else 0
        return Counted(self._train_documents(start), start)

    def _train_documents(self, start: int) -> Iterator[str]:
        """From document `start` on; held-out ones come as empty text, so that counts hold."""
        for file in self._train_files:
            if file.suffix == ".parquet":  # its footer knows how many documents to jump over
                skipped = min(start, _parquet(file).metadata.num_rows)
                texts = _read_parquet(file, skipped)
            else:
                texts = self._read(file)
                skipped = sum(1 for _ in itertools.islice(texts, start))
            start -= skipped
            for text in texts:
                yield "" if self.by_hash and is_held_out_by_hash(text) else text

    def heldout(self, limit: int | None) -> list[str]:
        """The first `limit` held-out documents (all for None): a file's, or drawn by hash."""
        texts = (t for file in self._heldout_files or self._train_files for t in self._read(file))
        if self.by_hash:
            texts = filter(is_held_out_by_hash, texts)
        return list(itertools.islice(filter(str.strip, texts), limit))


def _find(path: Path) -> list[Path]:
    kinds = ", ".join(_READERS)
    if not path.exists():
        raise ValueError(f"--data {path}: no such file or folder; give a folder or {kinds} file")
    if path.is_file() and path.suffix not in _READERS:
        raise ValueError(f"--data {path}: allowed are {kinds} files and folders of them")
    listed = [path] if path.is_file() else [*(path / "data").glob("[!.]*"), *path.glob("[!.]*")]
    readable = [file for file in listed if file.suffix in _READERS and file.is_file()]
    files = sorted(file for file in readable if file.parent == readable[0].parent)
    if not files:
        raise ValueError(f"--data {path}: nothing to read there; put {kinds} files in it")
    if len(found := sorted({file.suffix for file in files})) > 1:
        raise ValueError(f"--data {path}: files of one kind are allowed, found {', '.join(found)}")
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


def _read_parquet(file: Path, start: int = 0) -> Iterator[str]:
    """Documents from row `start` on, without a look at the row groups before it."""
    import pyarrow

    parquet = _parquet(file)
    schema = parquet.schema_arrow
    kinds = (pyarrow.string(), pyarrow.large_string())
    texts = [field.name for field in schema if field.type in kinds]
    if "text" not in texts and len(texts) != 1:
        raise ValueError(
            f"--data {file}: no text column (columns: {', '.join(schema.names) or 'none'});"
            " name the column with the documents 'text'"
        )
    column = "text" if "text" in texts else texts[0]
    sizes = (parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups))
    ends = [0, *itertools.accumulate(sizes)]
    first = bisect.bisect_right(ends, start) - 1
    groups, number = list(range(first, parquet.num_row_groups)), ends[first]
    try:
        for batch in parquet.iter_batches(batch_size=256, row_groups=groups, columns=[column]):
            for text in batch.column(0).to_pylist():
                number += 1
                if text is None:
                    raise ValueError(
                        f"--data {file}, row {number}: null in column {column!r};"
                        " drop such rows or write empty text"
                    )
                if number > start:
                    yield text
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unusable_parquet(file, error) from None


def _read_jsonl(file: Path) -> Iterator[str]:
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        where = f"--data {file}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:  # endless digits, endless brackets
            why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise ValueError(f"{where}: not JSON ({why}); mend or drop the line") from None
        text = value.get("text") if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise ValueError(f'{where}: expected {{"text": "…"}} or a JSON string')
        if _LONE_SURROGATE.search(text):
            raise ValueError(
                f"{where}: half a surrogate pair (such as \\ud800) is no text;"
                " mend or drop the line"
            )
        yield text


def _read_txt(file: Path) -> Iterator[str]:
    """Documents separated by <|endoftext|> where the file's beginning has it, else blank lines."""
    with file.open("rb") as stream:
        by_mark = SEPARATOR.encode() in stream.read(1 << 20)
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


def _lines(file: Path) -> Iterator[str]:
    offset = 0
    with file.open("rb") as stream:
        for line in stream:
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"--data {file}: not UTF-8 text (byte {offset + error.start});"
                    " convert it to UTF-8 first"
                ) from None
            offset += len(line)


_READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".txt": _read_txt,
}
