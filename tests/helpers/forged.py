"""Finished runs in folders, what a forger makes of them, and what `verify` notes beside them."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from leaderboard.attestations import Verification
from leaderboard.submit import VERIFICATION
from speedrun.records.schema import Record, load, seal

RECORD, WEIGHTS, TOKENIZER = "record.json", "model.safetensors", "tokenizer.json"


def copied(run: Path, to: Path) -> Path:
    """The three files of a run in a folder of their own."""
    to.mkdir(parents=True)
    for name in (RECORD, WEIGHTS, TOKENIZER):
        (to / name).write_bytes((run / name).read_bytes())
    return to


def resealed(folder: Path, changes: dict[str, Any] | None = None) -> Record:
    """The folder's record with these changes by path, under a new and matching id.

    `...` as a value takes the key away. The weights named are those in the folder.
    """
    content = load(folder / RECORD).content()
    content["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    for path, value in (changes or {}).items():
        *sections, name = path.split(".")
        inner = content
        for section in sections:
            inner = inner[section]
        if value is ...:
            del inner[name]
        else:
            inner[name] = value
    record = seal(content)
    (folder / RECORD).write_text(record.to_json(), encoding="utf-8")
    return record


def note_in(folder: Path) -> Verification:
    """The one verification beside a run."""
    (path,) = folder.glob(VERIFICATION)
    note = Verification.parse(path.read_bytes(), str(path))
    assert path.name == f"verification-{note.digest()}.json"
    return note


def scaled_score(folder: Path, by: float) -> dict[str, float]:
    """Changes that scale a score and keep its parts in tune."""
    score = load(folder / RECORD).score
    assert score is not None
    return {
        "score.nats": score.nats * by,
        "score.nats_per_token": score.nats_per_token * by,
        "score.bits_per_byte": score.bits_per_byte * by,
        "score.perplexity": score.perplexity**by,
    }


def safetensors_bytes(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this header, which may claim another `length` for itself."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body
