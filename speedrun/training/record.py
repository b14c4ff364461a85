"""Record builder: the sections of a record from the values of a race."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speedrun import __version__
from speedrun.backends import registry
from speedrun.records import schema
from speedrun.records.schema import Record
from speedrun.system import git, hardware
from speedrun.training.clock import BudgetClock
from speedrun.training.prepare import Built
from speedrun.training.trainer import Training

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained engine and the data that its training consumed."""

    built: Built
    training: Training
    peak_bytes: int  # of the rank that needed most
    num_dropped: int  # training documents that equal a held-out one
    epochs: float | None
    facts: dict[str, Any]  # the engine's metadata
    num_devices: int


def provenance() -> dict[str, Any]:
    """Date of a record and version of the code that makes it."""
    commit, dirty = git.code_version(_ROOT)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": {"commit": commit, "dirty": dirty, "version": __version__},
    }


def build(trained: Trained, clock: BudgetClock, found: dict[str, Any]) -> Record:
    """The sealed record of a race; `found` are its score, its sample and its weights."""
    built = trained.built
    device, run, data = built.device, built.prepared.run, built.prepared.opened
    num_embedding = run.model.num_params - run.model.num_params_non_embedding
    content = {
        "status": trained.training.status,
        "arch": run.arch,
        "backend": device.backend,
        "device": device.name,
        "seed": run.seed,
        "num_params_non_embedding": found["num_params"] - num_embedding,
        "budget_s": run.budget_s,
        "config": run.as_dict(),
        "argv": replace(built.prepared.entry.request, backend=device.name).argv(),
        "data": schema.Data(
            name=data.source.name,
            source=data.source.origin,  # type: ignore[arg-type]
            train_fingerprint=data.source.train_fingerprint,
            heldout_fingerprint=data.heldout.fingerprint,
            num_dropped_duplicates=trained.num_dropped,
        ),
        "tokenizer": schema.Tokenizer(
            vocab=data.tokenizer.vocab, fingerprint=data.tokenizer.fingerprint
        ),
        "hardware": _hardware(trained),
        "versions": registry.versions(registry.backend(device.backend)),
        "clock": schema.Clock(**clock.ledger()),
        "train": _train(trained, clock),
    }
    return schema.seal(provenance() | content | found)


def _hardware(trained: Trained) -> schema.Hardware:
    device, machine = trained.built.device, trained.built.prepared.opened.machine
    name = hardware.hardware_class(machine, device.name, device.accelerator, trained.num_devices)
    return schema.Hardware(
        **{"class": name},
        cpu=machine.cpu,
        cores=machine.cores,
        memory_bytes=machine.memory_bytes,
        accelerator=device.accelerator,
        matmul_gflops=schema.MatmulGflops(**trained.built.matmul_gflops),
    )


def _train(trained: Trained, clock: BudgetClock) -> schema.Train:
    training, built = trained.training, trained.built
    warnings = built.prepared.entry.architecture.warnings(built.device)
    facts = trained.facts | {"tuning": built.tuned.facts, "remarks": warnings}
    if built.step_s:
        facts["auto_step_s"] = built.step_s
    curve = training.loss_curve
    return schema.Train(
        num_tokens=training.num_tokens,
        num_steps=training.num_steps,
        epochs=trained.epochs,
        tokens_per_s=training.num_tokens / clock.spent_s(),
        micro_batch_rows=facts.pop("micro_batch_rows"),
        peak_bytes=trained.peak_bytes,
        loss_curve=[(share, loss if math.isfinite(loss) else None) for share, loss in curve],
        engine=facts,
        events=training.events,
    )
