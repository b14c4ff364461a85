"""Choices on disk: paid for once for the same machine, versions, architecture, size and recipe."""

import contextlib
import dataclasses
import hashlib
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedrun.config import Run
from speedrun.protocols import Architecture, Backend, Device, ExecutionConfig
from speedrun.system.files import write_atomic
from speedrun.system.hardware import Machine
from speedrun.training import record

_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A choice, how it was found, and whether another race should go on with what it left out."""

    settings: ExecutionConfig
    facts: dict[str, Any]
    is_thorough: bool
    is_unfinished: bool


def key(
    machine: Machine,
    device: Device,
    backend: Backend,
    architecture: Architecture,
    run: Run,
    space: Mapping[str, Sequence[Any]],
) -> dict[str, Any]:
    """Everything that the speed or the rightness of a step may hang on, as plain values."""
    return {
        "machine": dataclasses.asdict(machine) | {"threads": os.environ.get("OMP_NUM_THREADS")},
        "device": [device.name, device.accelerator, device.memory_bytes],
        "versions": record.versions(backend),
        "architecture": [architecture.NAME, _digest(architecture.model(device.backend))],
        "backend": _digest(type(backend)),
        "model": dataclasses.asdict(run.model),  # type: ignore[call-overload]
        "recipe": dataclasses.asdict(run.recipe),
        "space": {name: list(values) for name, values in space.items()},
    }


def _digest(made: type) -> str:
    """Of the source files in the folder of a class: another version, other times."""
    digest = hashlib.sha256()
    for path in sorted(Path(inspect.getfile(made)).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def load(folder: Path, key: Mapping[str, Any]) -> Kept | None:
    """What is kept for this key; None where that is nothing, or not what `save` writes."""
    try:
        content = json.loads(_path(folder, key).read_text(encoding="utf-8"))
        settings = ExecutionConfig(**content["settings"])
        if content["schema"] != _SCHEMA or not _fits(settings, key["space"]):
            return None
        return Kept(
            settings=settings,
            facts=dict(content["facts"]),
            is_thorough=bool(content["is_thorough"]),
            is_unfinished=bool(content["is_unfinished"]),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _fits(settings: ExecutionConfig, space: Mapping[str, Sequence[Any]]) -> bool:
    """Whether each value is a candidate, one left to the recipe, or what memory had room for."""
    return all(
        value is None or value in space.get(name, ()) for name, value in vars(settings).items()
    )


def save(folder: Path, key: Mapping[str, Any], kept: Kept) -> None:
    """A disk that cannot be written on costs the next race a search, not this one its choice."""
    content = {"schema": _SCHEMA, "key": key, **dataclasses.asdict(kept)}
    path = _path(folder, key)
    with contextlib.suppress(OSError):
        write_atomic(path, json.dumps(content, indent=1))


def _path(folder: Path, key: Mapping[str, Any]) -> Path:
    canonical = json.dumps(key, sort_keys=True, default=str)
    return folder / f"{hashlib.sha256(canonical.encode()).hexdigest()}.json"
