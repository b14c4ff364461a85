"""Run directory: proven writable before the clock starts, and visible only with a whole model."""

import contextlib
import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TextIO

from speedrun.records.files import CHECKPOINT, WEIGHTS
from speedrun.records.strict_json import plain
from speedrun.system.files import sync_folder, write_atomic
from speedrun.system.locks import Lock
from speedrun.training.runs.run_names import (
    RESERVE,
    Notice,
    claim,
    partial_of,
    reclaim,
    release_resumable,
    rename,
    settle_abandoned,
)

LOG, LOCAL, SAMPLES = "log.jsonl", "local.json", "samples.txt"
_SPARE_BYTES = 16 << 20  # log, tokenizer, samples and record, generously
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)


class RunDirectory:
    """A directory that is filled under a hidden name; `publish` renames it.

    Raises ValueError where it cannot be written or the run would not fit.
    """

    def __init__(
        self, out: Path, name: str, weights_bytes: int, notice: Notice = lambda text: None
    ) -> None:
        self._begin(out, notice, weights_bytes, lambda: claim(out, name))

    @classmethod
    def reopened(cls, folder: Path, weights_bytes: int, notice: Notice, spent_s: float) -> Self:
        """The directory of a published run that goes on at so many seconds of its budget."""
        made = cls.__new__(cls)
        made._begin(folder.parent, notice, weights_bytes, lambda: reclaim(folder), spent_s)
        return made

    def _begin(
        self,
        out: Path,
        notice: Notice,
        weights_bytes: int,
        claimed: Callable[[], tuple[str, Lock | None]],
        spent_s: float = 0.0,
    ) -> None:
        self._out, self._notice = out, notice
        self.final: Path | None = None  # once it is published
        try:
            out.mkdir(parents=True, exist_ok=True)
            settle_abandoned(out, notice)
            needed, free = weights_bytes + _SPARE_BYTES, shutil.disk_usage(out).free
            if free < needed:
                raise ValueError(
                    f"--out {out}: {free >> 20} MiB are free, the run needs {needed >> 20} MiB;"
                    " free some or choose another"
                )
            self._name, self._lock = claimed()
            self.partial = partial_of(out, self._name)
            try:
                _allocate(self._reserve, needed)
                self._log = _open_log(self.partial, spent_s)  # last: Windows deletes no open file
            except OSError:
                self._settle()
                raise
        except OSError as error:
            raise ValueError(
                f"--out {out}: cannot write there ({error.strerror}); choose another folder"
            ) from None

    @property
    def _reserve(self) -> Path:
        """Room that is allocated for weights and record, so that it cannot run out meanwhile."""
        return self.partial / RESERVE

    @property
    def expected(self) -> Path:
        """The folder that the run will have."""
        return self._out / self._name

    def log(self, entry: Mapping[str, Any]) -> None:
        """Append a line to log.jsonl; on a full disk the log is lost, not the run."""
        with contextlib.suppress(OSError):
            self._log.write(json.dumps(plain(dict(entry)), allow_nan=False) + "\n")

    def checkpoint(self, raw: bytes) -> None:
        """Write or replace the checkpoint; OSError, and the older one stays."""
        write_atomic(self.partial / CHECKPOINT, raw)

    def drop_checkpoint(self) -> None:
        """Delete the checkpoint: the race has nothing to go on with."""
        for folder in filter(None, (self.final, self.partial)):
            (folder / CHECKPOINT).unlink(missing_ok=True)

    def publish(self, files: Mapping[str, bytes]) -> Path:
        """Write the files of a run, its weights last, and give the directory its final name.

        Where that fails the run is kept in a temporary folder. Raises ValueError where that
        fails, too.
        """
        files = {LOG: self._logged(), **files}
        self._close_log()
        try:
            self.final = self._publish(self._out, files)
        except OSError as error:
            why, rescue = error.strerror, Path(tempfile.gettempdir())
            try:
                own = Path(tempfile.mkdtemp(prefix="speedrun-runs-", dir=rescue))
                self.final = self._publish(own, files)
            except OSError as second:
                raise ValueError(
                    f"--out {self._out}: the trained model cannot be written ({why}),"
                    f" nor to {rescue} ({second.strerror})"
                ) from None
            self._notice(f"{self._out}: {why}; the run is kept in {self.final}.")
            shutil.rmtree(self.partial, ignore_errors=True)
        return self.final

    def _publish(self, out: Path, files: Mapping[str, bytes]) -> Path:
        partial = partial_of(out, self._name)
        _write(partial, files)
        target = rename(partial, out / self._name)
        sync_folder(out)
        return target

    def is_whole(self) -> bool:
        """Whether the published run still has its model: others delete folders."""
        return self.final is not None and (self.final / WEIGHTS).exists()

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Replace files of the published run, each as a whole, in their order; OSError."""
        assert self.final is not None, "it is published"
        for name, content in files.items():
            write_atomic(self.final / name, content)
        sync_folder(self.final)

    def close(self) -> None:
        """Delete the directory of a run without a model; release the name of any other.

        With a checkpoint the run gets its name, and can be resumed: one that was stopped and
        scored before, too.
        """
        self._close_log()
        self._settle()

    def _settle(self) -> None:
        if self.final is None and (self.partial / CHECKPOINT).exists():
            release_resumable(self.partial, self.expected)
        elif self.final is None and not (self.partial / WEIGHTS).exists():
            shutil.rmtree(self.partial, ignore_errors=True)
        if self._lock is not None:
            self._lock.release(remove=not self.partial.exists())

    def _logged(self) -> bytes:
        """The log so far, even where others deleted its file."""
        with contextlib.suppress(OSError, ValueError):
            self._log.seek(0)
            return self._log.read().encode()
        return b""

    def _close_log(self) -> None:
        with contextlib.suppress(OSError):
            self._log.close()


def run_name(arch: str, size: str, seed: int) -> str:
    """`<time>-<arch>-<size>-<seed>`, the time in UTC."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{Path(arch).name}-{size}-{seed}"


def local_facts(folder: Path) -> dict[str, Any]:
    """The place of a run's data on this machine; {} where its folder does not tell."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / LOCAL).read_text(encoding="utf-8"))
        if isinstance(found, dict) and all(
            isinstance(found.get(name), str | None) for name in ("data", "text_field")
        ):
            return found
    return {}


def keep(out: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Store the files of a run from another machine; all of them or, on OSError, none."""
    settle_abandoned(out)
    name, lock = claim(out, name)
    partial = partial_of(out, name)
    try:
        _write(partial, files)
        return rename(partial, out / name)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        if lock is not None:
            lock.release(remove=True)


def _open_log(folder: Path, spent_s: float) -> TextIO:
    """Open log.jsonl and write to it: a full file system raises OSError before training.

    Of an older one the lines up to `spent_s` stay.
    """
    path, mode = folder / LOG, "w+"
    if spent_s and path.exists():
        kept = [line for line in path.read_bytes().splitlines(True) if _spent_s(line) <= spent_s]
        write_atomic(path, b"".join(kept))
        mode = "a+"
    else:
        path.write_bytes(b"\n")
    return path.open(mode, encoding="utf-8", newline="\n", buffering=1)  # whole lines, for readers


def _spent_s(line: bytes) -> float:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return float(json.loads(line)["spent_s"])
    return math.inf  # cut off where the race was killed


def _allocate(path: Path, num_bytes: int) -> None:
    with path.open("wb") as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
        except OSError as error:  # not every file system can
            if error.errno in _FULL:
                raise


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files so that they survive a loss of power; the weights last, into the reserve.

    The folder is made where it is gone: others delete folders.
    """
    reserve, weights = folder / RESERVE, files.get(WEIGHTS)
    if reserve.exists():
        os.truncate(reserve, len(weights or b""))
    for name, content in files.items():
        if name != WEIGHTS:
            write_atomic(folder / name, content)
    if weights is not None and reserve.exists():
        with reserve.open("r+b") as file:
            file.write(weights)
            file.flush()
            os.fsync(file.fileno())
        reserve.rename(folder / WEIGHTS)
    elif weights is not None:
        write_atomic(folder / WEIGHTS, weights)
    reserve.unlink(missing_ok=True)
    sync_folder(folder)
