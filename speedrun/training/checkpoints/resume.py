"""A race that goes on from its checkpoint: what it takes, and that it is the same race."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speedrun.data.loader import TokenStream
from speedrun.device import Device
from speedrun.distributed import launcher
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Engine, EngineState
from speedrun.records import schema
from speedrun.records.files import CHECKPOINT, RECORD
from speedrun.records.strict_json import plain
from speedrun.system import hardware
from speedrun.system.energy.monitor import Energy, EnergyMonitor, together
from speedrun.system.host import Host, HostMonitor, worst
from speedrun.training.checkpoints import checkpoint
from speedrun.training.checkpoints.checkpoint import Identity, Progress, Resumption
from speedrun.training.checkpoints.saver import Saver, Sources
from speedrun.training.divergence import LossWatch
from speedrun.training.prepare import Built, Context, Prepared
from speedrun.training.progress import Training
from speedrun.training.runs.run_names import partial_of, settle_abandoned
from speedrun.training.validation import Validation

_WAIT_S = 5.0
_DIFFERS = {
    "program": "the code of the harness or of the architecture was changed since",
    "config": "its settings mean another model or recipe here",
    "train_fingerprint": "its training data were changed, or are others",
    "heldout_fingerprint": "its held-out documents were changed, or are others",
    "tokenizer": "its tokenizer is another one here",
    "hardware_class": "it was started on another kind of machine",
    "device": "it was started on another device",
    "num_ranks": "it was started in another number of processes",
}


def load(folder: Path) -> Resumption:
    """The run in a folder that can go on; ValueError where it cannot."""
    started = launcher.launched()
    if started is None or started.rank == 0:
        settle_abandoned(folder.parent)
    else:  # rank 0 gives the folder of a killed race its name
        deadline_s = time.monotonic() + _WAIT_S
        while not (folder / CHECKPOINT).is_file() and time.monotonic() < deadline_s:
            time.sleep(0.05)
    if not (folder / CHECKPOINT).is_file():
        raise ValueError(f"{folder}: {_why_none(folder)}")
    return Resumption(folder, checkpoint.load(folder / CHECKPOINT))


def _why_none(folder: Path) -> str:
    if partial_of(folder.parent, folder.name).exists():
        return "a race is at work on it; wait for its end"
    if not folder.is_dir():
        return "no such folder; give that of a run"
    if not (folder / RECORD).is_file():
        return "no checkpoint there; give the folder of a run"
    status = schema.load(folder / RECORD).status
    if status == "interrupted":
        return (
            "the run was interrupted and has no checkpoint: races above ten minutes have them,"
            " others with --checkpoint-every MINUTES"
        )
    if status == "trained":
        return f"the run is trained, and only its score is missing: python run.py score {folder}"
    return f"the run is {status}: nothing is left to resume"


def identity(prepared: Prepared, device: Device, group: ProcessGroup) -> Identity:
    """Facts of a race that a checkpoint has in common with the race that goes on from it."""
    data = prepared.opened
    of_devices = device.name, device.accelerator, group.num_devices
    return Identity(
        program=data.program.digest,
        config=plain(prepared.run.as_dict()),
        train_fingerprint=data.source.train_fingerprint,
        heldout_fingerprint=data.heldout.fingerprint,
        tokenizer=data.tokenizer.fingerprint,
        hardware_class=hardware.hardware_class(data.machine, *of_devices),
        device=device.name,
        num_ranks=group.size,
    )


class Watched(NamedTuple):
    """Parts of a training that a checkpoint has beside its engine; on ranks above 0 not all."""

    stream: TokenStream | None
    validation: Validation | None
    host: HostMonitor | None
    energy: EnergyMonitor


def saver(built: Built, context: Context, watched: Watched) -> Saver | None:
    """Saver of checkpoints, where the race has any; the same on all ranks but for its sources."""
    stream, host = watched.stream, watched.host
    request, sources = built.prepared.entry.request, None
    directory = context.directory
    if not request.checkpoint_every_s:
        return None
    if directory is not None and stream is not None and host is not None:  # on rank 0
        again = f"python run.py resume {directory.expected} goes on"
        every = request.checkpoint_every_s / 60
        context.callbacks.notice(f"A checkpoint every {every:g} minutes: if stopped, {again}.")
        sources = Sources(
            # Of this device: by itself it might be another one when the race goes on.
            request=dataclasses.replace(request, backend=built.device.name),
            identity=identity(built.prepared, built.device, context.group),
            directory=directory,
            consumed=lambda: (stream.num_consumed, stream.consumed().sha256),
            host=lambda: of_host(context, host.so_far()),
            energy=lambda: of_energy(context, watched.energy.so_far()),
            validation=watched.validation,
            notice=context.callbacks.notice,
            on_save=lambda: context.stop.can_resume(f"{again} from its last checkpoint"),
        )
    return Saver(request.checkpoint_every_s, context.clock, context.group, sources)


def of_host(context: Context, of_this_part: Host) -> dict[str, Any]:
    """The host of the whole race, as far as its parts are known."""
    if context.resumed is None:
        return vars(of_this_part)
    return vars(worst([Host(**context.resumed.progress.host), of_this_part]))


def of_energy(context: Context, of_this_part: Energy) -> dict[str, Any]:
    """The energy of the whole race, up to its checkpoint and since."""
    if context.resumed is None:
        return vars(of_this_part)
    earlier: dict[str, Any] = context.resumed.progress.energy
    return vars(together(Energy(**earlier), of_this_part))


def check(resumption: Resumption, here: Identity) -> None:
    """Raise ValueError where a checkpoint is of another race than the one under way."""
    there = resumption.checkpoint.facts.identity
    for name, why in _DIFFERS.items():
        before, now = getattr(there, name), getattr(here, name)
        if before != now:
            shown = f" ({before}, now {now})" if name in ("hardware_class", "device") else ""
            raise ValueError(f"{resumption.folder} cannot go on: {why}{shown}")


def check_consumed(resumption: Resumption, sha256: str) -> None:
    """Raise ValueError unless the tokens up to the checkpoint are those that were trained on."""
    if sha256 != resumption.progress.consumed_sha256:
        why = _DIFFERS["train_fingerprint"]
        raise ValueError(f"{resumption.folder} cannot go on: {why} (its tokens are not the same)")


def restorer(context: Context) -> Callable[[Engine, Training], LossWatch] | None:
    """The function that puts engine and training where the checkpoint left them; None without.

    Every rank calls it, rank 0 has the checkpoint.
    """
    group, resumed = context.group, context.resumed
    if not group.decide(lambda: resumed is not None):
        return None

    def restore(engine: Engine, training: Training) -> LossWatch:
        sent = group.decide(lambda: _sent(resumed))
        state = EngineState(arrays=sent["arrays"], facts=sent["facts"])
        engine.restore(state, sent["random_states"][group.rank])
        progress = Progress.model_validate(sent["progress"], strict=False)
        _go_on(progress, sent["loss_curve"], training)
        share = progress.spent_s / context.clock.budget_s
        training.note(share, "resumed", f"the race went on from a checkpoint at {share:.0%}")
        return LossWatch.of_state(progress.losses)

    return restore


def _sent(resumption: Resumption | None) -> dict[str, Any]:
    assert resumption is not None, "rank 0 has it"
    state = resumption.checkpoint.engine_state()
    return {
        "arrays": dict(state.arrays),
        "facts": dict(state.facts),
        "random_states": resumption.checkpoint.facts.random_states,
        "progress": resumption.progress.content(),
        "loss_curve": resumption.checkpoint.arrays["loss_curve"],
    }


def _go_on(progress: Progress, curve: NDArray[np.float64], training: Training) -> None:
    training.num_tokens, training.num_steps = progress.num_tokens, progress.num_steps
    training.loss_curve = [(float(share), float(nats)) for share, nats in curve]
    new = [event for event in training.events if event not in progress.events]
    training.events = [*progress.events, *new]
    training.resumes = [*progress.resumes, progress.spent_s]
