"""Judgement of a run's host and of its time off the clock: what may hold a record."""

from speedrun.records.schema import Record
from speedrun.records.sections import CLOCK_TITLES

# The lower of the rates of matrix products before and after training, as a share of the other.
# A laptop that grew hot keeps a good half of a cold one's; less means that something else ran.
MIN_RATE_SHARE = 0.5
# What the hypervisor and other processes took of the usable cores' time: a twentieth of a large
# machine, a fifth of a core of a small one.
MAX_LOST_SHARE = 0.05
MAX_LOST_CORES = 0.2

# Seconds off the clock that an honest first race on a slow machine stays below.
MAX_OFF_CLOCK_S = {
    "startup_s": 600.0,  # includes a first download
    "tokenizer_s": 600.0,
    "build_s": 120.0,
    "compile_s": 900.0,
    "warmup_s": 1800.0,  # includes autotuning
    "checkpoint_s": 120.0,
    "evaluate_s": 3600.0,
    "sample_s": 300.0,
}


def unfit_because(record: Record) -> str | None:
    """The reason for which a run cannot hold a record; None where its host was fit, or is unknown.

    Records before schema 4 do not say.
    """
    if (host := record.host) is None:
        return None
    before, after = host.matmul_before, host.matmul_after
    if before is None or after is None or min(before, after) <= 0:
        return "the rate of its device was not measured"
    if min(before, after) < MIN_RATE_SHARE * max(before, after):
        return f"its device went from {before:,.0f} to {after:,.0f} GFLOP/s during training"
    lost = [("the hypervisor", max(0.0, host.stolen_share or 0.0))]
    if record.hardware.accelerator is None:  # where it does the work, cores matter little
        lost.append(("other processes", max(0.0, host.others_share or 0.0)))
    limit = max(MAX_LOST_SHARE, MAX_LOST_CORES / max(1, record.hardware.cores))
    if sum(share for _, share in lost) > limit:
        shares = " and ".join(f"{share:.0%} by {who}" for who, share in lost if share >= 0.005)
        return f"its cores' time was taken: {shares}; at most {limit:.0%} may be"
    return None


def flags(record: Record) -> list[str]:
    """Accounts off the clock that took longer than an honest race needs, a phrase each."""
    seconds = record.clock.model_dump()
    return [
        f"{CLOCK_TITLES[name]} took {seconds[name]:,.0f} s, above {limit:,.0f} s"
        for name, limit in MAX_OFF_CLOCK_S.items()
        if seconds[name] > limit
    ]
