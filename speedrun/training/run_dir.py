"""A run's folder: found writable before the clock starts, and there only as a whole."""

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
    """Files are written under a hidden name; `publish` gives the folder its own."""

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
            self._reserve = _reserve(self.partial, weights_bytes + _SPARE_BYTES)
        except OSError as error:
            raise ValueError(
                f"--out {out}: cannot write there ({error.strerror}); choose another folder"
            ) from None

    def log(self, entry: Mapping[str, Any]) -> None:
        """Add a line; a disk that is full costs the log, not the race."""
        with contextlib.suppress(OSError):
            self._log.write(json.dumps(entry) + "\n")

    def save_weights(self, weights: Mapping[str, NDArray[Any]]) -> str:
        """Write model.safetensors; return its SHA-256."""
        self._reserve.unlink(missing_ok=True)
        path = self.partial / "model.safetensors"
        safetensors.numpy.save_file(dict(weights), path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def write(self, name: str, text: str) -> None:
        (self.partial / name).write_text(text, encoding="utf-8")

    def publish(self) -> Path:
        """Make the run visible, all at once; a taken name gets a number."""
        self._reserve.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._log.close()
        return _named(self.partial, self._final)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._log.close()
        shutil.rmtree(self.partial, ignore_errors=True)


def run_name(arch: str, size: str, seed: int) -> str:
    """`<time>-<arch>-<size>-<seed>`, the time in UTC."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{Path(arch).name}-{size}-{seed}"


def keep(out: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """A run that was raced elsewhere; there as a whole or, where OSError is raised, not at all."""
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
    """Give a hidden folder its name, or with a number where that is taken."""
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
    """The log in a new folder; a file system out of space refuses here, not after training."""
    path = folder / "log.jsonl"
    try:
        path.write_text("\n", encoding="utf-8")
        return path.open("w", encoding="utf-8", buffering=1)  # whole lines, for who watches
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _reserve(folder: Path, num_bytes: int) -> Path:
    """Hold the room that weights and record will need, so that others cannot fill it meanwhile."""
    path = folder / "reserve"
    with path.open("wb") as file, contextlib.suppress(OSError):  # not every file system can
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, num_bytes)
    return path


def remove_abandoned(out: Path) -> None:
    """Hidden folders of runs that were killed; those of living processes stay."""
    alive = {str(pid) for pid in psutil.pids()}
    for folder in out.glob(f".*{_PARTIAL}"):
        owner = folder.name.removesuffix(_PARTIAL).rpartition(".")[2]
        if owner.isdecimal() and owner not in alive:
            shutil.rmtree(folder, ignore_errors=True)
