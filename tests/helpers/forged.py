"""Finished runs in folders, what a forger makes of them, and what `verify` notes beside them."""

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.made_records import put, rescore

from leaderboard.attestations import Verification
from leaderboard.submit import VERIFICATION
from speedrun.records.schema import load, seal

RECORD, WEIGHTS, TOKENIZER = "record.json", "model.safetensors", "tokenizer.json"


def forge(folder: Path, changes: Mapping[str, Any] | None = None, *, scale: float = 1) -> None:
    """Reseal a run's record after changes by path and of its score, with the folder's weights."""
    content = load(folder / RECORD).content()
    content["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    if scale != 1:
        rescore(content, content["score"]["bits_per_byte"] * scale)
    for path, value in (changes or {}).items():
        put(content, path, value)
    (folder / RECORD).write_text(seal(content).to_json(), encoding="utf-8")


def note_in(folder: Path) -> Verification:
    """The one verification beside a run."""
    (path,) = folder.glob(VERIFICATION)
    note = Verification.parse(path.read_bytes(), str(path))
    assert path.name == f"verification-{note.digest()}.json"
    return note


def safetensors_bytes(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this header, which may claim another `length` for itself."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body
