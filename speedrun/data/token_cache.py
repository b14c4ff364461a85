"""Cache of tokenized documents on disk: a growing uint16 file and a state file beside it."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from speedrun.system.files import write_atomic

_STATE = ("num_tokens", "num_dropped", "exhausted", "source_state")


class TokenCache:
    """Tokens of one data set, held-out split and tokenizer, in stream order.

    One process may append; a second one at the same time works in a private copy that is
    thrown away. `state.json` is replaced atomically and trails the tokens, so a killed run
    loses at most what came after its last `save`.
    """

    def __init__(self, folder: Path) -> None:
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._lock = filelock.FileLock(folder / "lock", blocking=False)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except (filelock.Timeout, OSError):  # in use, or a disk we may not write on
            self._private = tempfile.TemporaryDirectory(prefix="speedrun-tokens-")
            folder = Path(self._private.name)
        self.folder = folder
        self.num_tokens = 0
        self.num_dropped = 0
        self.exhausted = False  # the source has no more documents than these
        self.source_state: dict[str, Any] | None = None
        self._load(folder)
        self._map: NDArray[np.uint16] = np.empty(0, dtype=np.uint16)
        self._file = (folder / "tokens.bin").open("ab")
        self._file.truncate(self.num_tokens * 2)

    def _load(self, folder: Path) -> None:
        try:
            state = json.loads((folder / "state.json").read_text())
            kept = {name: state[name] for name in _STATE}
            is_whole = (folder / "tokens.bin").stat().st_size >= kept["num_tokens"] * 2
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return  # new, or torn by a crash of the machine: start over
        if is_whole:  # else tokens are missing: start over
            vars(self).update(kept)

    def append(self, tokens: NDArray[np.uint16]) -> None:
        """Add tokens [num_tokens] at the end."""
        self._file.write(tokens.tobytes())
        self.num_tokens += len(tokens)

    def read(self, start: int, stop: int) -> NDArray[np.uint16]:
        """Tokens [start, stop), which must have been appended."""
        if stop > len(self._map):
            self._file.flush()
            self._map = np.memmap(self._file.name, dtype=np.uint16, mode="r")
        return self._map[start:stop]

    def save(self) -> None:
        """Write the state: the next run resumes after what was appended so far."""
        if self._private is not None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        state = {name: getattr(self, name) for name in _STATE}
        write_atomic(self.folder / "state.json", json.dumps(state))

    def close(self) -> None:
        """Close the file and release the lock; tokens appended since `save` are lost."""
        with contextlib.suppress(OSError):  # what could not be written was not saved either
            self._file.close()
        self._map = np.empty(0, dtype=np.uint16)
        self._lock.release()
        if self._private is not None:
            self._private.cleanup()
