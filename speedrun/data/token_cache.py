"""Cache of tokenized documents on disk: a growing uint16 file and a state file beside it."""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from speedrun.system import locks
from speedrun.system.files import write_atomic
from speedrun.system.locks import Lock

_STATE = ("num_tokens", "dropped", "exhausted", "source_state")
_BLOCK_BYTES = 1 << 20  # hashed at a time


class TokenCache:
    """Tokens of one data set, held-out split and tokenizer, in stream order.

    `identity` is of all three. A file that was made for others, or whose content is not what was
    saved, is not used: the tokens are made again.

    One process may append; a second one at the same time, or one where the folder cannot be
    locked, works in a private copy that is thrown away. `state.json` is replaced atomically and
    trails the tokens, so a killed run loses at most what came after its last `save`. A disk that
    takes no more costs later runs their head start: the tokens stay in memory from there.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.problem: str | None = None  # why the tokens are not kept, unless another run does
        self.is_damaged = False  # the file was whole, and not what was saved
        self._identity = identity
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._lock: Lock | None = None
        self._file: BinaryIO | None = None  # without a buffer: what is written is there
        self._tail = bytearray()  # tokens that the disk did not take
        self._map: NDArray[np.uint16] = np.empty(0, dtype=np.uint16)
        self._begin(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = locks.acquire(folder / "lock")
            if self._lock is not None:
                self._open(folder)
        except OSError as error:  # no locks, or a disk we may not write on
            self.problem = _reason(error)
            self.close()
        if self._file is None:
            self._open_private()
        self._num_on_disk = self.num_tokens

    def _begin(self, folder: Path) -> None:
        self.folder = folder
        self.num_tokens = 0
        # Of each document that was left out: tokens before it, and `heldout.after` it.
        self.dropped: list[tuple[int, str]] = []
        self.exhausted = False  # the source has no more documents than these
        self.source_state: dict[str, Any] | None = None
        self._sha256 = hashlib.sha256()  # of the tokens on disk

    def _open_private(self) -> None:
        try:
            self._private = tempfile.TemporaryDirectory(
                prefix="speedrun-tokens-",
                ignore_cleanup_errors=True,  # Windows deletes no file that is still mapped
            )
            self._open(Path(self._private.name))
        except OSError as error:  # nor there: all of it stays in memory
            self.problem = _reason(error)

    def _open(self, folder: Path) -> None:
        self._begin(folder)
        self._load(folder)
        self._file = (folder / "tokens.bin").open("ab", buffering=0)
        self._file.truncate(self.num_tokens * 2)

    def _load(self, folder: Path) -> None:
        try:
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            claimed = state.pop("sha256")
            if state["identity"] != self._identity:
                return
            kept = {name: state[name] for name in _STATE}
            kept["dropped"] = [(at, digest) for at, digest in kept["dropped"]]
            sha256 = _sha256(folder / "tokens.bin", kept["num_tokens"] * 2)
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return  # new, or torn by a crash of the machine: start over
        if sha256 is None:  # tokens are missing: start over
            return
        self.is_damaged = _sealed(sha256, state) != claimed
        if not self.is_damaged:
            vars(self).update(kept, _sha256=sha256)

    def append(self, tokens: NDArray[np.uint16]) -> None:
        """Add tokens [num_tokens] at the end."""
        raw = tokens.astype("<u2", copy=False).tobytes()
        rest = memoryview(raw)
        try:
            while self._file is not None and rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._stop_writing(error)
            rest = memoryview(raw)  # of a part nothing is kept
        self._tail += rest
        self.num_tokens += len(tokens)
        if self._file is not None:
            self._num_on_disk = self.num_tokens
            self._sha256.update(raw)

    def _stop_writing(self, error: OSError) -> None:
        """Leave the file at the last whole append, to be read but not written."""
        self.problem = _reason(error)
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(self._num_on_disk * 2)
            self._file.close()
            self._file = None

    def read(self, start: int, stop: int) -> NDArray[np.uint16]:
        """Tokens [start, stop), which must have been appended."""
        on_disk = min(stop, self._num_on_disk)
        if on_disk > len(self._map):
            self._map_file()
        if stop == on_disk:
            return self._map[start:stop]
        first = max(0, start - self._num_on_disk)
        piece = bytes(self._tail[2 * first : 2 * (stop - self._num_on_disk)])
        return np.concatenate((self._map[start:on_disk], np.frombuffer(piece, dtype=np.uint16)))

    def _map_file(self) -> None:
        path, shape = self.folder / "tokens.bin", (self._num_on_disk,)
        self._map = np.memmap(path, dtype=np.uint16, mode="r", shape=shape)

    def save(self) -> None:
        """Write the state: the next run resumes after what was appended so far."""
        if self._private is not None or self._file is None:
            return
        try:
            os.fsync(self._file.fileno())
            state = {name: getattr(self, name) for name in _STATE} | {"identity": self._identity}
            state["sha256"] = _sealed(self._sha256, state)
            write_atomic(self.folder / "state.json", json.dumps(state))
        except OSError as error:
            self._stop_writing(error)

    def close(self) -> None:
        """Close the file and release the lock; tokens appended since `save` are lost."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._map = np.empty(0, dtype=np.uint16)
        if self._lock is not None:
            self._lock.release()
        if self._private is not None:
            self._private.cleanup()


def _sealed(tokens: "hashlib._Hash", state: dict[str, Any]) -> str:
    """The hash of the tokens and of the state that goes with them."""
    both = tokens.copy()
    both.update(json.dumps(state, sort_keys=True).encode())
    return both.hexdigest()


def _sha256(file: Path, num_bytes: int) -> "hashlib._Hash | None":
    """The hash of the first bytes of a file; None where it has fewer."""
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while num_bytes > 0:
            if not (block := stream.read(min(num_bytes, _BLOCK_BYTES))):
                return None
            found.update(block)
            num_bytes -= len(block)
    return found


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def has_tokens(cache: Path, name: str) -> bool:
    """Whether an earlier race left tokens of a data set of this name, under any tokenizer."""
    for file in cache.glob(f"{name}-*/state.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads(file.read_text(encoding="utf-8"))
            if state["num_tokens"] and state["sha256"]:
                return True
    return False
