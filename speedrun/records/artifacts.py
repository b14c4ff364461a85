"""Weights and tokenizer beside a record: read within limits, and checked against the record.

Both may come from a stranger. What is checked here needs the record alone; whether they fit a
model is checked by `speedrun.training.runs.restore`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from speedrun.records.files import TOKENIZER, WEIGHTS
from speedrun.records.sanitize import brief, is_sanitized
from speedrun.records.schema import Record

MAX_TOKENIZER_BYTES = 16 << 20
_BYTES_PER_NUMBER, _SPARE_BYTES = 8, 1 << 20
_MAX_NAME = 200
_DTYPES = ("float32", "int64")  # what is trained, what is counted


def read_limited(path: Path, limit: int) -> bytes:
    """The content of a file; ValueError where it is larger than `limit`, or cannot be read."""
    # Not simply up to the limit: that follows from a number that a record claims.
    return _start_of(path, _size(path, limit))


def _size(path: Path, limit: int) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    if size > limit:
        raise ValueError(f"{path}: larger than it may be ({size} bytes, at most {limit})")
    return size


def _start_of(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None


def weights_name(record: Record) -> str:
    """The name of the weights' file in a store."""
    return f"weights/{record.weights_sha256}.safetensors"


def tokenizer_name(record: Record) -> str:
    """The name of the tokenizer's file in a store."""
    return f"tokenizers/{record.tokenizer.fingerprint}.json"


def max_weights_bytes(record: Record) -> int:
    """Most bytes that a safetensors file of the record's parameters can have."""
    return _BYTES_PER_NUMBER * record.num_params + _SPARE_BYTES


def read_weights(folder: Path, record: Record) -> bytes:
    """The weights beside a record. Raises ValueError as `check_weights` does."""
    path = folder / WEIGHTS
    size = _size(path, max_weights_bytes(record))
    _check_header(path, size)
    raw = _start_of(path, size)
    check_weights(raw, record, str(path))
    return raw


def _check_header(path: Path, size: int) -> None:
    """Raise ValueError where a file is not of the size that its header says, or fills the memory.

    Before it is read: a file of holes costs its maker nothing, whatever its size.
    """
    length = int.from_bytes(_start_of(path, 8), "little")
    try:
        header = json.loads(_start_of(path, 8 + length)[8:] if length <= _SPARE_BYTES else b"")
        parts = [entry for name, entry in header.items() if name != "__metadata__"]
        is_whole = size == 8 + length + max((p["data_offsets"][1] for p in parts), default=0)
    except (LookupError, TypeError, AttributeError, RecursionError, ValueError):
        is_whole = False
    if not is_whole:
        raise ValueError(f"{path}: not a whole safetensors file (its header is not of its size)")
    if size > (free := psutil.virtual_memory().available):
        raise ValueError(f"{path}: has {size} bytes, and {free} bytes of memory are free")


def check_weights(raw: bytes, record: Record, where: str) -> None:
    """Raise ValueError for weights that the record does not name, or larger than it allows."""
    if len(raw) > max_weights_bytes(record):
        raise ValueError(f"{where}: larger than {record.num_params} parameters can be")
    if hashlib.sha256(raw).hexdigest() != record.weights_sha256:
        raise ValueError(f"{where}: not the weights that the record names (SHA-256 differs)")


def read_tokenizer(folder: Path, record: Record) -> bytes:
    """The tokenizer beside a record. Raises ValueError as `check_tokenizer` does."""
    path = folder / TOKENIZER
    raw = read_limited(path, MAX_TOKENIZER_BYTES)
    check_tokenizer(raw, record, str(path))
    return raw


def check_tokenizer(raw: bytes, record: Record, where: str) -> None:
    """Raise ValueError for a tokenizer that the record does not name, or one that is too large."""
    if len(raw) > MAX_TOKENIZER_BYTES:
        raise ValueError(f"{where}: larger than a tokenizer may be ({MAX_TOKENIZER_BYTES} bytes)")
    if hashlib.sha256(raw).hexdigest() != record.tokenizer.fingerprint:
        raise ValueError(f"{where}: not the tokenizer that the record names (SHA-256 differs)")


def arrays(raw: bytes, record: Record, where: str) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file, finite and as many numbers as the record has parameters.

    Raises ValueError for anything else; memory stays within the size of `raw`.
    """
    try:
        found = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{where}: not a whole safetensors file ({brief(str(error))})") from None
    for name, array in found.items():
        if not 0 < len(name) <= _MAX_NAME or not is_sanitized(name):
            raise ValueError(f"{where}: an array in it has no plain name")
        if (dtype := array.dtype.name) not in _DTYPES:
            allowed = ", ".join(_DTYPES)
            raise ValueError(f"{where}: weight {name!r} has type {dtype}; allowed are {allowed}")
        if not np.isfinite(array).all():
            raise ValueError(f"{where}: weight {name!r} holds numbers that are not finite")
    if (num_numbers := sum(array.size for array in found.values())) != record.num_params:
        raise ValueError(
            f"{where}: holds {num_numbers} numbers, the record has {record.num_params} parameters"
        )
    return found
