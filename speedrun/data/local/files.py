"""Files of a data set: found in folders, told apart by kind and by split."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speedrun.data.local.encoding import PACKED
from speedrun.data.local.readers.csv import Csv
from speedrun.data.local.readers.json import Json
from speedrun.data.local.readers.reader import Reader
from speedrun.data.local.readers.tables import Arrow, Parquet
from speedrun.data.local.readers.txt import Txt

_TABLES: dict[str, type[Reader]] = {".parquet": Parquet, ".arrow": Arrow}
_TEXTS: dict[str, type[Reader]] = {
    ".jsonl": Json,
    ".ndjson": Json,
    ".json": Json,
    ".csv": Csv,
    ".tsv": Csv,
    ".txt": Txt,
}
_PACKED = {kind + packing: reader for kind, reader in _TEXTS.items() for packing in PACKED}
READERS = _TABLES | _TEXTS | _PACKED
KINDS = f"{', '.join(_TABLES | _TEXTS)} files (text also packed: {', '.join(PACKED)})"

_DEPTH = 3  # of folders, such as config/split/shards
# validation-00000-of-00001.parquet, TinyStories-valid.txt, val.jsonl, but not testament.txt
_WORD = r"(?:^|[-_. ])(?:%s)(?:$|[-_. \d])"
_SPLITS = {
    name: re.compile(_WORD % words, re.IGNORECASE)
    for name, words in (
        ("train", "train|training"),
        ("validation", "validation|valid|val|dev|eval|evaluation"),
        ("test", "test|testing"),
    )
}
# Beside the data, never data: of the hub, of `datasets`, of people.
_ASIDE = re.compile(
    r"(readme|licen[cs]e|notice|changelog|citation|requirements)\b.*"
    r"|(dataset_infos?|dataset_dict|state)\.json|cache-.*\.arrow",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """The files of a data set by split, in the order in which they are read."""

    train: list[Path]
    heldout: list[Path]  # []: documents are held out by hash
    left_out: list[Path]  # of a second held-out split
    beside: str | None = None  # a held-out split next to the path that was given


def kind_of(file: Path) -> str:
    """`.jsonl`, or `.jsonl.gz`, in lower case."""
    *_, first, last = ["", "", *(suffix.lower() for suffix in file.suffixes)]
    return first + last if last in PACKED else last


def stem_of(path: Path) -> str:
    """The name without the ending that tells the kind."""
    return path.name[: -len(kind_of(path))] if kind_of(path) in READERS else path.name


def find(path: Path) -> Found:
    """The files below a path; ValueError where they cannot be used."""
    try:
        found = _one(path) if path.is_file() else _many(path)
    except OSError as error:
        raise ValueError(f"--data {path}: cannot be read ({error.strerror})") from None
    for file in (*found.train, *found.heldout):
        _expect_usable(file)
    return found


def _one(path: Path) -> Found:
    if kind_of(path) not in READERS:
        raise ValueError(f"--data {path}: allowed are {KINDS} and folders of them")
    # A single file is trained on, whatever its name.
    return Found([path], [], [], _beside(path))


def _many(path: Path) -> Found:
    if not path.exists():
        raise ValueError(f"--data {path}: no such file or folder; allowed are folders and {KINDS}")
    if not path.is_dir():
        raise ValueError(f"--data {path}: neither a file nor a folder; allowed are {KINDS}")
    files = list(_below(path / "data", _DEPTH)) or list(_below(path, _DEPTH))
    if not files:
        raise ValueError(f"--data {path}: nothing to read there; put {KINDS} in it")
    readers = {READERS[kind_of(file)] for file in files}
    if len(readers) > 1:
        kinds = ", ".join(sorted({kind_of(file) for file in files}))
        raise ValueError(
            f"--data {path}: files of one kind are allowed, found {kinds};"
            " give one of the files, or move the others away"
        )
    _expect_single(path, files)
    by_split: dict[str, list[Path]] = {"train": [], "validation": [], "test": []}
    for file in sorted(files, key=lambda file: _numbered(file.relative_to(path).as_posix())):
        by_split[_split_of(file, path) or "train"].append(file)
    train, validation, test = by_split.values()
    if not train:
        raise ValueError(f"--data {path}: only held-out files there; add a train file")
    heldout, left_out = (validation, test) if validation else (test, [])
    return Found(train, heldout, left_out, None if heldout else _beside(path))


def _below(folder: Path, depth: int, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Files that can be read, links followed; names that begin with a dot are left out."""
    real = folder.resolve()
    if not folder.is_dir() or real in seen:
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = folder / entry.name
        if entry.name.startswith(".") or _ASIDE.fullmatch(entry.name):
            continue
        if entry.is_dir():
            if depth > 1:
                yield from _below(path, depth - 1, seen | {real})
        elif kind_of(path) in READERS:
            if not path.is_file():
                raise ValueError(f"--data {path}: a link to nothing; mend or remove it")
            yield path


def _numbered(name: str) -> list[str | int]:
    """Key that puts shard 10 after shard 9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def _split_of(path: Path, root: Path) -> str | None:
    """The split that the nearest folder is named after, else the one in the file's name."""
    folders = [part.name for part in path.relative_to(root).parents if part.name]
    names = [*(f"{name}" for name in folders), stem_of(path)]
    for name in names:
        for split, words in _SPLITS.items():
            if words.fullmatch(name) or (name == names[-1] and words.search(name)):
                return split
    return None


def _beside(path: Path) -> str | None:
    """A held-out split next to a file or folder of training documents."""
    if _SPLITS["train"].search(stem_of(path)) is None:
        return None
    kind = None if path.is_dir() else kind_of(path)
    for split in ("validation", "test"):
        for other in sorted(path.absolute().parent.iterdir()):
            if other.name.startswith(".") or _SPLITS[split].search(stem_of(other)) is None:
                continue
            if next(_below(other, _DEPTH), None) if kind is None else kind_of(other) == kind:
                return str(path.parent / other.name)
    return None


def _expect_single(path: Path, files: Iterable[Path]) -> None:
    """Refuse a file beside its packed copy, whose documents would be read twice."""
    seen: dict[tuple[Path, str], Path] = {}
    for file in files:
        name = file.parent, stem_of(file)
        if name in seen and seen[name].suffix != file.suffix:
            raise ValueError(
                f"--data {path}: {seen[name].name} and {file.name} look like the same documents;"
                " move one of them away"
            )
        seen[name] = file


def _expect_usable(file: Path) -> None:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise ValueError(
            f"--data {file}: cannot be read ({error.strerror}); give a file that can"
        ) from None
    if size == 0:
        raise ValueError(f"--data {file}: the file is empty; give one with text")
    if size < 1024 and head.startswith(b"version https://git-lfs"):
        raise ValueError(
            f"--data {file}: a pointer of Git LFS, no data; fetch it with git lfs pull"
        )
