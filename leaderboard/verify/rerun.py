"""Rerun of a record from its config and seed, compared with the noise of its entry.

Two races of one seed differ, because the clock stops them at different steps: all reruns of an
entry are judged together, see `leaderboard.checks.reruns`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from leaderboard.attestations import Rerun, Verification
from leaderboard.checks import reruns
from leaderboard.index import Index
from leaderboard.verify.case import Case, Request
from speedrun.autotune import tune
from speedrun.config import Data
from speedrun.device import Device
from speedrun.protocols import Architecture
from speedrun.records.schema import Record
from speedrun.records.summary import Summary, summarize
from speedrun.records.track import Track
from speedrun.training import race
from speedrun.training.callbacks import Callbacks
from speedrun.training.race import Finished
from speedrun.training.request import RunRequest
from speedrun.training.runs import restore
from speedrun.training.signals import StopFlag


def race_again(
    case: Case, request: Request, architecture: Architecture, device: Device, watcher: Callbacks
) -> Finished:
    """New run of a record's config and seed. Raises ValueError if it ends without a score."""
    record = case.record
    data = Data(path=request.data, text_field=request.text_field)
    data = restore.data_of(record, case.folder, data)
    run = restore.run_of(architecture, record, data.path, case.where)
    again = RunRequest(
        arch=request.arch or record.arch,
        budget_s=run.budget_s,
        backend=device.name,
        seed=run.seed,
        data=replace(run.data, text_field=data.text_field),
        out=Path("runs"),
        tune=tune_mode(record),
        again=run,
    )
    with StopFlag() as stop:
        finished = race.race(again, watcher, stop)
    if (status := finished.record.status) != "complete" or finished.record.score is None:
        raise ValueError(f"{finished.folder}: the rerun is {status}; nothing to compare")
    return finished


def tune_mode(record: Record) -> tune.Mode:
    """Tuning mode of a record; `off` for records older than tuning."""
    tuning = record.train.engine.get("tuning")
    found = tuning.get("mode") if isinstance(tuning, dict) else None
    return next((mode for mode in get_args(tune.Mode) if mode == found), "off")


def compare(record: Record, again: Record, stored: Index) -> Rerun:
    """Difference of a rerun from the claim, judged with all reruns of its entry that are stored.

    A rerun on other hardware refutes nothing.
    """
    assert record.score is not None and again.score is not None  # checked before
    claimed, found = record.score.bits_per_byte, again.score.bits_per_byte
    seeds = _entry(record, stored.runs)
    hardware = again.hardware.hardware_class
    earlier = _earlier(seeds, stored.verifications, hardware)
    verdict = reruns.judge([run.bits_per_byte for run in seeds], [*earlier, found])
    can_refute = hardware == record.hardware.hardware_class
    difference = (found - claimed) / claimed
    return Rerun(
        agrees=not can_refute or reruns.agrees(difference, verdict.p_value),
        record=again.id,
        hardware_class=hardware,
        claimed_bits_per_byte=claimed,
        found_bits_per_byte=found,
        difference=difference,
        noise=verdict.sd * claimed,
        num_seeds=len({run.seed for run in seeds}),
        p_value=verdict.p_value if can_refute else None,
    )


def _entry(record: Record, others: Sequence[Summary]) -> list[Summary]:
    """Runs of a record's config in its track that rank, its own included, one for a seed."""

    def key(run: Summary) -> tuple[object, ...]:
        return Track.of(run), run.arch, run.backend, run.device, run.config_key

    own = summarize(record)
    ranked = [run for run in others if run.unranked_because is None and run.id != own.id]
    found = [own, *(run for run in ranked if key(run) == key(own))]
    return list({run.seed: run for run in reversed(found)}.values())


def _earlier(
    seeds: Sequence[Summary], notes: Mapping[str, Sequence[Verification]], hardware: str
) -> list[float]:
    """Bits per byte of reruns of these runs on this hardware, each rerun once."""
    parts = [note.rerun for run in seeds for note in notes.get(run.id, ()) if note.rerun]
    same = {part.record: part for part in parts if part.hardware_class == hardware}
    return [part.found_bits_per_byte for part in same.values()]
