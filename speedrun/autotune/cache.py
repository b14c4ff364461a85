"""Choices of execution settings on disk.

One is used again for the same machine, versions, architecture, size and recipe.
"""

import contextlib
import dataclasses
import hashlib
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import architectures
from speedrun import backends
from speedrun.autotune.worker import Target
from speedrun.backends import registry
from speedrun.device import ExecutionConfig
from speedrun.system.files import write_atomic

_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Execution settings of a race, and what its record says about them."""

    settings: ExecutionConfig
    facts: dict[str, Any]


def key(target: Target, space: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Everything that the speed or the correctness of a step may depend on, as plain values."""
    device, run, architecture = target.device, target.run, target.architecture
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "machine": dataclasses.asdict(target.machine) | {"threads": threads},
        "device": [device.name, device.accelerator, device.memory_bytes],
        "versions": registry.versions(target.backend),
        "architecture": [
            architecture.NAME,
            _digest(architecture.model(device.backend), architectures),
        ],
        "backend": _digest(type(target.backend), backends),
        "model": dataclasses.asdict(run.model),  # type: ignore[call-overload]
        "recipe": dataclasses.asdict(run.recipe),
        "space": {name: list(values) for name, values in space.items()},
    }


def _digest(*sources: type | ModuleType) -> str:
    """Hash of the files beside each source: changed code, also what is shared, has other times."""
    digest = hashlib.sha256()
    for source in sources:
        for path in sorted(Path(inspect.getfile(source)).parent.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def load(folder: Path, key: Mapping[str, Any]) -> Tuned | None:
    """The choice for this key; None where there is none, or the file is damaged."""
    try:
        content = json.loads(_path(folder, key).read_text(encoding="utf-8"))
        settings = ExecutionConfig(**content["settings"])
        if content["schema"] != _SCHEMA or not _in_space(settings, key["space"]):
            return None
        return Tuned(settings=settings, facts=dict(content["facts"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _in_space(settings: ExecutionConfig, space: Mapping[str, Sequence[Any]]) -> bool:
    return all(
        value is None or value in space.get(name, ()) for name, value in vars(settings).items()
    )


def save(folder: Path, key: Mapping[str, Any], tuned: Tuned) -> None:
    """Write a choice; where the disk refuses, the next race searches again."""
    content = {"schema": _SCHEMA, "key": key, **dataclasses.asdict(tuned)}
    with contextlib.suppress(OSError):
        write_atomic(_path(folder, key), json.dumps(content, indent=1))


def _path(folder: Path, key: Mapping[str, Any]) -> Path:
    canonical = json.dumps(key, sort_keys=True, default=str)
    return folder / f"{hashlib.sha256(canonical.encode()).hexdigest()}.json"
