"""Storage of records: any place that `fsspec` reaches, with files that are added, never changed.

<id>.json                        a record, named by its content
<id>.submission.json             who submitted it, under which name
<id>.verification.<hash>.json    one verification of it
<hash>.duel.json                 a duel, named by its content
<hash>.data.json                 the held-out facts of a data set
weights/<sha256>.safetensors, tokenizers/<sha256>.json
"""

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import fsspec

from speedrun.records.files import OWN_RECORDS
from speedrun.system.files import create_atomic, write_atomic

ID_PREFIX = re.compile(r"[0-9a-f]{4,64}")  # as much of an id as a person has to give
_NAME = re.compile(
    r"([0-9a-f]{64}(\.submission|\.duel|\.verification\.[0-9a-f]{12})?|[0-9a-f]{12}\.data)\.json"
)
_FOLDERS = {
    "weights": re.compile(r"[0-9a-f]{64}\.safetensors"),
    "tokenizers": re.compile(r"[0-9a-f]{64}\.json"),
}
# Keys under which file systems of fsspec report what changes with a file.
_STAMPS = ("ETag", "etag", "blob_id", "sha", "oid", "LastModified", "modified", "mtime", "created")


class Store:
    """The files of one leaderboard. Raises ValueError where it cannot be reached or used.

    A local folder is read without fsspec, so that links and special files are never followed.
    """

    def __init__(self, url: str) -> None:
        if not url.strip():
            raise ValueError("the address of a store is empty; give a folder or an fsspec URL")
        self.url = url
        with self._explained():
            self._fs, self._root = fsspec.core.url_to_fs(url)
        is_local = isinstance(self._fs, fsspec.get_filesystem_class("file"))
        self._folder = Path(self._root) if is_local else None

    def __truediv__(self, name: str) -> str:
        """The name of a file of the store in messages."""
        return f"{self.url.rstrip('/')}/{name}"

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return self._folder is not None

    @property
    def address(self) -> str:
        """One address for all URLs of the same store."""
        return self._fs.unstrip_protocol(self._root)

    def names(self) -> dict[str, tuple[int, str]]:
        """Names of readable files, with their size and a stamp that changes when they do.

        Links (which may lead out of the store), folders and unexpected names are ignored.
        """
        if self._folder is not None:
            return _scan(self._folder)
        with self._explained():
            self._fs.invalidate_cache()
            try:
                entries = self._fs.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
        found: dict[str, tuple[int, str]] = {}
        for entry in entries:
            name = str(entry["name"]).rstrip("/").rpartition("/")[2]
            if entry.get("type") == "file" and _NAME.fullmatch(name):
                stamp = str(next(filter(None, map(entry.get, _STAMPS)), ""))
                found[name] = (int(entry.get("size") or 0), stamp)
        return found

    def unexpected_files(self) -> list[str]:
        """Files of a local store, and of its folders, that no store has; sorted."""
        if self._folder is None or not self._folder.is_dir():
            return []
        folders = {name for name in _FOLDERS if not (self._folder / name).is_symlink()}
        known = _scan(self._folder).keys() | folders
        odd = [path for path in self._folder.iterdir() if path.name not in known]
        for name in folders:
            inside = (self._folder / name).glob("*")
            odd += [p for p in inside if not (_is_plain(p) and _FOLDERS[name].fullmatch(p.name))]
        return sorted(path.relative_to(self._folder).as_posix() for path in odd)

    def changed_artifacts(self) -> list[str]:
        """Weights and tokenizers of a local store whose content is not that of their name."""
        found = []
        for name, pattern in _FOLDERS.items():
            if self._folder is not None and not (self._folder / name).is_symlink():
                plain = filter(_is_plain, sorted((self._folder / name).glob("*")))
                found += [p for p in plain if pattern.fullmatch(p.name) and _sha256(p) != p.stem]
        return [f"{path.parent.name}/{path.name}" for path in found]

    def has_other(self, name: str, content: bytes) -> bool:
        """Whether a file of this name is there, with another content."""
        if (size := self.size(name)) is None:
            return False
        try:
            return size != len(content) or self.read(name, size) != content
        except ValueError:  # a link, a pipe
            return True

    def read(self, name: str, limit: int) -> bytes:
        """At most `limit` + 1 bytes of a file; FileNotFoundError where it does not exist."""
        if self._folder is not None:
            self.refuse_links(name.rpartition("/")[0])
            with os.fdopen(_open_regular(self._folder / name), "rb") as file:
                return file.read(limit + 1)
        with self._explained():
            return self._fs.cat_file(f"{self._root}/{name}", end=limit + 1)

    def refuse_links(self, folder: str) -> None:
        """Raise ValueError where this folder of a local store is a link."""
        if self._folder is not None and (path := self._folder / folder).is_symlink():
            raise ValueError(f"{path}: a link, which may lead out of the store")

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where it does not exist."""
        try:
            if self._folder is not None:
                return (self._folder / name).lstat().st_size
            with self._explained():
                return int(self._fs.size(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def add(self, name: str, content: bytes, *, replace: bool = False) -> bool:
        """Add a file as a whole; False, and the older file unchanged, where the name is taken.

        With `replace` the older file goes: one whose content is not what its name says.
        """
        if self._folder is not None:
            if "/" in name:
                self.refuse_links(name.rpartition("/")[0])
            try:
                if replace:
                    write_atomic(self._folder / name, content)
                return replace or create_atomic(self._folder / name, content)
            except OSError as error:
                why = f"cannot write there ({error.strerror}); nothing changed"
                raise ValueError(f"{self.url}: {why}") from None
        path = f"{self._root}/{name}"
        with self._explained():
            if replace:
                self._fs.rm(path)
            elif self._fs.exists(path):
                return False
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:  # a file that another process adds at this moment stays, where the store can tell
                self._fs.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            except (TypeError, NotImplementedError):  # hubs that can only replace
                self._fs.pipe_file(path, content)
            return True

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn any error of a file system into one line with the store's address.

        File systems belong to dozens of libraries with exceptions of their own: hence Exception.
        """
        try:
            yield
        except (FileNotFoundError, FileExistsError, TypeError, NotImplementedError):
            raise
        except ImportError as error:
            raise ValueError(f"{self.url}: {error}") from None
        except Exception as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{self.url}: cannot be used as a store ({what})") from error


def open_store(url: str | None) -> Store:
    """The store of this URL; the project's own records for None."""
    return Store(url if url is not None else str(OWN_RECORDS))


def _scan(folder: Path) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read as a store ({error.strerror})") from None
    with entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                facts = entry.stat(follow_symlinks=False)
                # The time of change, too: anybody may set that of modification.
                stamp = f"{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"
                found[entry.name] = (facts.st_size, stamp)
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _open_regular(path: Path) -> int:
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # Windows
        raise ValueError(f"{path}: cannot be read (a symbolic link)")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        opened = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(opened).st_mode):  # a pipe would never end
        os.close(opened)
        raise ValueError(f"{path}: not a plain file")
    return opened
