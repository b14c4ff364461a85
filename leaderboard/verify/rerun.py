"""A record raced again from its own config and seed, and held against its entry's noise.

Two races of one seed differ, because the clock ends them at another step. What that does is known
only from runs of one config: the rerun is held against their mean by a t prediction interval.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from leaderboard.attestations import Rerun
from speedrun.autotune import tune
from speedrun.protocols import Architecture
from speedrun.records.schema import Record
from speedrun.records.statistics import Spread, over_seeds
from speedrun.records.summary import Summary, summarize
from speedrun.records.track import Track
from speedrun.training import race, recorded
from speedrun.training.prepare import Callbacks
from speedrun.training.race import Finished
from speedrun.training.request import RunRequest
from speedrun.training.signals import StopFlag

LEAST_P = 0.01  # a rerun less likely than this, given the noise, refutes the claim
# Without noise of its own an entry cannot be refuted by a little. Seeds of the runs that come
# with the project lie within 3 % of each other; this much worse is no noise.
FAR_OFF = 0.10


def raced_again(
    record: Record,
    architecture: Architecture,
    where: str,
    watcher: Callbacks,
    *,
    data: str | None,
    backend: str,
    arch: str | None,
    out: Path,
) -> Finished:
    """A new run of the record's settings. Raises ValueError where it ends without a score."""
    run = recorded.run(architecture, record, data, where)
    request = RunRequest(
        arch=arch or record.arch,
        budget_s=run.budget_s,
        backend=backend,
        seed=run.seed,
        data=run.data,
        out=out,
        tune=tune_of(record),
        again=run,
    )
    with StopFlag() as stop:
        finished = race.race(request, watcher, stop)
    if finished.record.status != "complete" or finished.record.score is None:
        raise ValueError(
            f"{finished.folder}: the race anew is {finished.record.status}; there is nothing to"
            " compare"
        )
    return finished


def tune_of(record: Record) -> tune.Mode:
    """How the settings of a record were found; those from before there was a choice were not."""
    tuning = record.train.engine.get("tuning")
    said = tuning.get("mode") if isinstance(tuning, dict) else None
    return next((mode for mode in get_args(tune.Mode) if mode == said), "off")


def compared(record: Record, again: Record, others: Sequence[Summary]) -> Rerun:
    """How far a rerun is from the claim; `others` are rows to look for runs of its entry in."""
    assert record.score is not None and again.score is not None  # both were asked for it
    noise = of_its_entry(record, others)
    claimed, found = record.score.bits_per_byte, again.score.bits_per_byte
    difference = (found - claimed) / claimed
    can_refute = again.hardware.hardware_class == record.hardware.hardware_class
    p = p_value(found, noise) if can_refute else None
    is_far_off = can_refute and noise.n < 2 and difference > FAR_OFF
    return Rerun(
        agrees=not is_far_off and (p is None or p >= LEAST_P),
        record=again.id,
        hardware_class=again.hardware.hardware_class,
        claimed_bits_per_byte=claimed,
        found_bits_per_byte=found,
        difference=difference,
        noise=noise.sd,
        num_seeds=noise.n,
        p_value=p,
    )


def of_its_entry(record: Record, others: Sequence[Summary]) -> Spread:
    """Bits per byte over the seeds of the record's config, the record's own included."""
    own = summarize(record)

    def key(one: Summary) -> tuple[object, ...]:
        return Track.of(one), one.arch, one.backend, one.device, one.config_key

    rows = [own] + [
        other
        for other in others
        if key(other) == key(own) and other.id != own.id and other.unranked_because is None
    ]
    return over_seeds(rows, "bits_per_byte")


def p_value(found: float, noise: Spread) -> float | None:
    """Probability of one more run at least as bad as `found`; None below two seeds."""
    if noise.sd is None:
        return None
    from scipy.special import stdtr

    error = noise.sd * math.sqrt(1 + 1 / noise.n)
    if error == 0:  # nothing random in it
        return 1.0 if found <= noise.mean else 0.0
    return float(stdtr(noise.n - 1, (noise.mean - found) / error))
