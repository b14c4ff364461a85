"""Whether a bench's numbers can be trusted, or the machine was busy with something else."""

from speedrun import text
from speedrun.bench.result import KINDS, Bench, Row
from speedrun.records.sanitize import sanitize

# What a quiet machine stays below.
LOAD_PER_CORE = 0.5  # as `doctor` warns
OTHER_CORES_SHARE = 0.1
STEAL_SHARE = 0.02
SPREAD = 0.10
DRIFT = 0.05  # of the rate of matrix products between two benches, worth saying
_WORDS = {"train": "training", "score": "scoring", "sample": "sampling"}


def name(row: Row) -> str:
    return f"{sanitize(row.arch)} {text.format_size(row.params)} {sanitize(row.device)}"


def reasons(bench: Bench) -> list[str]:
    """Why the machine counts as busy: a line each, none where it was quiet."""
    load, found = bench.load, []
    if load.load_per_core is not None and load.load_per_core > LOAD_PER_CORE:
        found.append(f"load average {load.load_per_core:.2f} per core before it began")
    if load.other_cores is not None and load.other_cores > OTHER_CORES_SHARE * bench.cores:
        found.append(f"other processes took {load.other_cores:.2f} of {bench.cores} cores")
    if load.steal_share is not None and load.steal_share > STEAL_SHARE:
        found.append(f"the host gave {load.steal_share:.1%} of the processors' time to others")
    for row in bench.rows:
        for kind in KINDS:
            if row.spread(kind) > SPREAD:
                found.append(
                    f"{_WORDS[kind]} of {name(row)} spreads over ±{row.spread(kind):.0%}"
                    f" in {len(row.samples(kind))} repeats"
                )
    return found
