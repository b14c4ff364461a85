"""Record builder: the sections of a record from the values of a race, and what is added later."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_jsonable_python

from speedrun import __version__
from speedrun.backends import registry
from speedrun.config import Run
from speedrun.data.loader import Consumed
from speedrun.records import schema, sections
from speedrun.records.schema import Record
from speedrun.records.sections import Event, Sample, Score
from speedrun.records.strict_json import plain
from speedrun.system import git, hardware
from speedrun.text import check_utf8
from speedrun.training.clock import BudgetClock
from speedrun.training.prepare import Built
from speedrun.training.progress import Training


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained engine and the data that its training consumed."""

    built: Built
    training: Training
    peak_bytes: int  # of the rank that needed most
    consumed: Consumed | None  # None on ranks above 0
    epochs: float | None
    facts: dict[str, Any]  # the engine's metadata
    num_devices: int
    host: Mapping[str, float | None]  # as `speedrun.system.host` found it
    energy: Mapping[str, Any]  # as `speedrun.system.energy` found it


def provenance(code: git.CodeVersion) -> dict[str, Any]:
    """Date of a record and version of the code that makes it."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": {"commit": code.commit, "dirty": code.dirty, "version": __version__},
    }


def check_settings(run: Run) -> None:
    """Raise ValueError for a setting that no record can hold, before the clock starts."""
    for name, value in _leaves("", run.as_dict()):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: a record takes finite numbers only")
        if isinstance(value, str):
            check_utf8(value, name)
        try:
            to_jsonable_python(value)
        except ValueError:
            raise ValueError(
                f"{name} is a {type(value).__name__}: a record takes numbers, text, lists and None"
            ) from None


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        path = f"{name}.{key}".removeprefix(".")
        if isinstance(item, dict | list | tuple):
            yield from _leaves(path, item)
        else:
            yield path, item


def build(trained: Trained, clock: BudgetClock, weights: Mapping[str, Any]) -> Record:
    """The sealed record of a race whose training has ended, without a score.

    `weights` are their number, `num_params`, and their hash, `weights_sha256`.
    """
    built = trained.built
    device, run, data = built.device, built.prepared.run, built.prepared.opened
    consumed = trained.consumed
    assert consumed is not None, "rank 0 has the data"
    num_embedding = run.model.num_params - run.model.num_params_non_embedding
    content = {
        "status": "diverged" if trained.training.status == "diverged" else "trained",
        "arch": run.arch,
        "backend": device.backend,
        "device": device.name,
        "seed": run.seed,
        "num_params_non_embedding": weights["num_params"] - num_embedding,
        "budget_s": run.budget_s,
        "config": run.as_dict(),
        "argv": replace(built.prepared.entry.request, backend=device.name).argv(),
        "data": {
            "name": data.source.name,
            "source": data.source.origin,
            "train_fingerprint": data.source.train_fingerprint,
            "heldout_fingerprint": data.heldout.fingerprint,
            "num_dropped_duplicates": consumed.num_dropped,
            "consumed_sha256": consumed.sha256,
            "dropped_sha256": consumed.dropped_sha256,
            "num_round_trips": data.num_round_trips,
            "cache": consumed.cache,
        },
        "tokenizer": sections.Tokenizer(
            vocab=data.tokenizer.vocab, fingerprint=data.tokenizer.fingerprint
        ),
        "hardware": _hardware(trained),
        "source": data.program,
        "host": dict(trained.host),
        "energy": dict(trained.energy),
        "resumes": trained.training.resumes,
        "versions": registry.versions(registry.backend(device.backend)),
        "clock": sections.Clock(**clock.ledger()),
        "train": _train(trained, clock),
        "score": None,
        "sample": None,
    }
    return schema.seal(plain({**provenance(data.code), **content, **weights}))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The parts of a record that come after training."""

    score: Score | None
    sample: Sample | None
    clock: Mapping[str, float]  # seconds by account
    events: Sequence[Event] = ()  # more of them
    facts: Mapping[str, Any] = field(default_factory=dict)  # more metadata of the engine


def finish(trained: Record, outcome: Outcome) -> Record:
    """The final record of a run that was trained: its score, its sample and what it took."""
    content = trained.content()
    kinds = {event.kind for event in (*trained.train.events, *outcome.events)}
    status = "interrupted" if "interrupted" in kinds else "complete"
    content["train"]["engine"] |= outcome.facts
    content["train"]["events"] += [event.content() for event in outcome.events]
    changed = {
        "status": "diverged" if "diverged" in kinds else status,
        "score": outcome.score,
        "sample": outcome.sample,
        "clock": dict(outcome.clock),
    }
    return schema.seal(plain(content | changed))


def _hardware(trained: Trained) -> sections.Hardware:
    device, machine = trained.built.device, trained.built.prepared.opened.machine
    name = hardware.hardware_class(machine, device.name, device.accelerator, trained.num_devices)
    content = {
        "class": name,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "memory_bytes": machine.memory_bytes,
        "accelerator": device.accelerator,
        "matmul_gflops": trained.built.matmul_gflops,
        "features": list(machine.features),
        "physical_cores": machine.physical_cores,
        "cpu_quota": machine.cpu_quota,
        "memory_limit": machine.memory_limit,
    }
    return sections.Hardware(**plain(content))


def _train(trained: Trained, clock: BudgetClock) -> sections.Train:
    training, built = trained.training, trained.built
    warnings = built.prepared.entry.architecture.warnings(built.device)
    facts = trained.facts | {"tuning": built.tuned.facts, "remarks": warnings}
    if built.step_s:
        facts["auto_step_s"] = built.step_s
    curve = training.loss_curve
    return sections.Train(
        num_tokens=training.num_tokens,
        num_steps=training.num_steps,
        epochs=trained.epochs,
        tokens_per_s=training.num_tokens / clock.spent_s(),
        micro_batch_rows=facts.pop("micro_batch_rows"),
        peak_bytes=trained.peak_bytes,
        loss_curve=[(share, loss if math.isfinite(loss) else None) for share, loss in curve],
        engine=plain(facts),
        events=training.events,
    )
