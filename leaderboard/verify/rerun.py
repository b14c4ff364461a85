"""Rerun of a record from its config and seed, compared with the noise of its entry.

Two races of one seed differ, because the clock stops them at different steps. The size of that
noise is known only from the runs of one entry: a t prediction interval around their mean decides.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from leaderboard.attestations import Rerun
from leaderboard.verify.case import Case, Request
from speedrun.autotune import tune
from speedrun.config import Data
from speedrun.device import Device
from speedrun.protocols import Architecture
from speedrun.records.schema import Record
from speedrun.records.statistics import Spread, over_seeds
from speedrun.records.summary import Summary, summarize
from speedrun.records.track import Track
from speedrun.training import race
from speedrun.training.prepare import Callbacks
from speedrun.training.race import Finished
from speedrun.training.request import RunRequest
from speedrun.training.runs import restore
from speedrun.training.signals import StopFlag

MIN_P = 0.01  # a rerun less probable than this refutes the claim
# Limit for an entry of one seed, whose noise is unknown. Seeds of the project's own runs lie
# within 3 % of each other.
MAX_DIFFERENCE = 0.10


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


def compare(record: Record, again: Record, others: Sequence[Summary]) -> Rerun:
    """Difference of a rerun from the claim; `others` may hold more runs of its entry.

    A rerun on other hardware refutes nothing.
    """
    assert record.score is not None and again.score is not None  # checked before
    noise = _entry_noise(record, others)
    claimed, found = record.score.bits_per_byte, again.score.bits_per_byte
    difference = (found - claimed) / claimed
    hardware = again.hardware.hardware_class
    can_refute = hardware == record.hardware.hardware_class
    p = _p_value(found, noise) if can_refute else None
    is_too_far = can_refute and noise.n < 2 and difference > MAX_DIFFERENCE
    return Rerun(
        agrees=not is_too_far and (p is None or p >= MIN_P),
        record=again.id,
        hardware_class=hardware,
        claimed_bits_per_byte=claimed,
        found_bits_per_byte=found,
        difference=difference,
        noise=noise.sd,
        num_seeds=noise.n,
        p_value=p,
    )


def _entry_noise(record: Record, others: Sequence[Summary]) -> Spread:
    """Bits per byte over the seeds of a record's config, its own included."""

    def key(run: Summary) -> tuple[object, ...]:
        return Track.of(run), run.arch, run.backend, run.device, run.config_key

    own = summarize(record)
    ranked = [run for run in others if run.unranked_because is None and run.id != own.id]
    return over_seeds([own, *(r for r in ranked if key(r) == key(own))], "bits_per_byte")


def _p_value(found: float, noise: Spread) -> float | None:
    """Probability of one more run at least as bad as `found`; None below two seeds."""
    if noise.sd is None:
        return None
    from scipy.special import stdtr

    error = noise.sd * math.sqrt(1 + 1 / noise.n)
    if error == 0:  # deterministic
        return 1.0 if found <= noise.mean else 0.0
    return float(stdtr(noise.n - 1, (noise.mean - found) / error))
