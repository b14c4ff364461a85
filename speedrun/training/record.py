"""The parts of a record, from what the race knows to plain values."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speedrun import __version__
from speedrun.config import Run
from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source
from speedrun.protocols import Backend, Device, Weights
from speedrun.system import git
from speedrun.system import hardware as telemetry
from speedrun.training.trainer import Training

_ROOT = Path(__file__).resolve().parents[2]


def origin() -> dict[str, Any]:
    """When the record was made and by which code."""
    commit, dirty = git.code_version(_ROOT)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": {"commit": commit, "dirty": dirty, "version": __version__},
    }


def settings(run: Run, weights: Weights) -> dict[str, Any]:
    """What was asked for, and how many numbers came of it: those that are stored."""
    num_params = sum(array.size for array in weights.values())
    num_embedding = run.model.num_params - run.model.num_params_non_embedding
    return {
        "arch": run.arch,
        "seed": run.seed,
        "num_params": num_params,
        "num_params_non_embedding": num_params - num_embedding,
        "budget_s": run.budget_s,
        "config": run.as_dict(),
    }


def data(source: Source, heldout: HeldOut, num_dropped: int) -> dict[str, Any]:
    return {
        "name": source.name,
        "source": source.origin,
        "train_fingerprint": source.train_fingerprint,
        "heldout_fingerprint": heldout.fingerprint,
        "num_dropped_duplicates": num_dropped,
    }


def hardware(
    machine: telemetry.Machine,
    device: Device,
    matmul_gflops: Mapping[str, float | None],
    num_devices: int,
) -> dict[str, Any]:
    return {
        "class": telemetry.hardware_class(machine, device.name, device.accelerator, num_devices),
        "cpu": machine.cpu,
        "cores": machine.cores,
        "memory_bytes": machine.memory_bytes,
        "accelerator": device.accelerator,
        "matmul_gflops": dict(matmul_gflops),
    }


def versions(backend: Backend) -> dict[str, str]:
    return {
        "python": telemetry.python_version(),
        "os": telemetry.operating_system(),
        **backend.versions(),
    }


def training(done: Training, spent_s: float) -> dict[str, Any]:
    """What training did; a loss that is not finite is kept as None."""
    return {
        "num_tokens": done.num_tokens,
        "num_steps": done.num_steps,
        "tokens_per_s": done.num_tokens / spent_s,
        "loss_curve": [(s, x if math.isfinite(x) else None) for s, x in done.loss_curve],
        "events": done.events,
    }
