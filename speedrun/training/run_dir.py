"""Run directory: proven writable before the clock starts, and visible only when complete."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import psutil
import safetensors.numpy
from numpy.typing import NDArray

_SPARE_BYTES = 16 << 20  # log, tokenizer, samples and record, generously
_PARTIAL = ".partial"


class RunDirectory:
    """A directory that is filled under a hidden name; `publish` renames it.

    Raises ValueError where it cannot be written or the run would not fit.
    """

    def __init__(self, out: Path, name: str, weights_bytes: int) -> None:
        self._final = out / name
        self.partial = out / f".{name}.{os.getpid()}{_PARTIAL}"
        try:
            out.mkdir(parents=True, exist_ok=True)
            remove_abandoned(out)
            free = shutil.disk_usage(out).free
            if free < weights_bytes + _SPARE_BYTES:
                raise ValueError(
                    f"--out {out}: {free >> 20} MiB are free, the run needs"
                    f" {(weights_bytes + _SPARE_BYTES) >> 20} MiB; free some or choose another"
                )
            self.partial.mkdir()
            self._log = _open_log(self.partial)
            # The space of weights and record is allocated, so that it cannot run out meanwhile.
            self._reserve = self.partial / "reserve"
            with self._reserve.open("wb") as file, contextlib.suppress(OSError):
                if hasattr(os, "posix_fallocate"):  # not every file system can
                    os.posix_fallocate(file.fileno(), 0, weights_bytes + _SPARE_BYTES)
        except OSError as error:
            raise ValueError(
                f"--out {out}: cannot write there ({error.strerror}); choose another folder"
            ) from None

    def log(self, entry: Mapping[str, Any]) -> None:
        """Append a line to log.jsonl; on a full disk the log is lost, not the run."""
        with contextlib.suppress(OSError):
            self._log.write(json.dumps(entry) + "\n")

    def save_weights(self, weights: Mapping[str, NDArray[Any]]) -> str:
        """Write model.safetensors; return its SHA-256."""
        self._reserve.unlink(missing_ok=True)
        path = self.partial / "model.safetensors"
        safetensors.numpy.save_file(dict(weights), path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def write(self, name: str, text: str) -> None:
        """Write a text file."""
        (self.partial / name).write_text(text, encoding="utf-8")

    def publish(self) -> Path:
        """Rename the directory to its final name, or with a number where that is taken."""
        self._reserve.unlink(missing_ok=True)
        self._close_log()
        return _named(self.partial, self._final)

    def discard(self) -> None:
        """Delete the directory of a run that failed."""
        self._close_log()
        shutil.rmtree(self.partial, ignore_errors=True)

    def _close_log(self) -> None:
        with contextlib.suppress(OSError):
            self._log.close()


def run_name(arch: str, size: str, seed: int) -> str:
    """`<time>-<arch>-<size>-<seed>`, the time in UTC."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{Path(arch).name}-{size}-{seed}"


def keep(out: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Store the files of a run from another machine; all of them or, on OSError, none."""
    remove_abandoned(out)
    partial = out / f".{name}.{os.getpid()}{_PARTIAL}"
    try:
        partial.mkdir()
        for file, content in files.items():
            (partial / file).write_bytes(content)
        return _named(partial, out / name)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _named(partial: Path, final: Path) -> Path:
    for number in range(1, 1000):
        target = final if number == 1 else Path(f"{final}.{number}")
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():
                raise
        else:
            return target
    raise FileExistsError(final)


def _open_log(folder: Path) -> TextIO:
    """Open log.jsonl and write to it: a full file system raises OSError before training."""
    path = folder / "log.jsonl"
    try:
        path.write_text("\n", encoding="utf-8")
        return path.open("w", encoding="utf-8", buffering=1)  # whole lines, for readers
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_abandoned(out: Path) -> None:
    """Delete the hidden directories of runs whose process has been killed."""
    alive = {str(pid) for pid in psutil.pids()}
    for folder in out.glob(f".*{_PARTIAL}"):
        owner = folder.name.removesuffix(_PARTIAL).rpartition(".")[2]
        if owner.isdecimal() and owner not in alive:
            shutil.rmtree(folder, ignore_errors=True)
