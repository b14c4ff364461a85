"""Launchers that start one race as several processes, known by the environment they set."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Launched:
    """The place of this process among those that a launcher started."""

    by: str  # the launcher's command
    backend: str  # of the framework that the launcher belongs to
    rank: int
    size: int
    local_rank: int  # among the processes on this machine
    local_size: int


def launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """The launcher's variables; None for a single process, ValueError where they are unreadable."""
    found = _torchrun(environment) or _mlx_launch(environment)
    return found if found is not None and found.size > 1 else None


def _torchrun(environment: Mapping[str, str]) -> Launched | None:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not all(name in environment for name in (*names, "MASTER_ADDR")):
        return None
    return Launched("torchrun", "torch", *(_number(environment, name) for name in names))


def _mlx_launch(environment: Mapping[str, str]) -> Launched | None:
    """`mlx.launch` passes the number of processes in a variable or in a file, by backend."""
    if "MLX_RANK" not in environment:
        return None
    rank = _number(environment, "MLX_RANK")
    if "MLX_WORLD_SIZE" in environment:
        size = _number(environment, "MLX_WORLD_SIZE")
    else:
        files = (environment.get(name) for name in ("MLX_HOSTFILE", "MLX_IBV_DEVICES"))
        size = max((_num_listed(Path(file)) for file in files if file), default=1)
    # The ranks of one machine are unknown: each counts as the only one of its machine.
    return Launched("mlx.launch", "mlx", rank, size, local_rank=rank, local_size=1)


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment[name]
    if not text.isdecimal():
        raise ValueError(f"the launcher's variable {name} is {text!r}, not a number")
    return int(text)


def _num_listed(file: Path) -> int:
    """Processes in a launcher's list; it leaves the file empty where there is only one."""
    try:
        text = file.read_text(encoding="utf-8").strip()
        return len(json.loads(text)) if text else 1
    except (OSError, ValueError) as error:
        raise ValueError(f"the launcher's list {file} cannot be read ({error})") from None
