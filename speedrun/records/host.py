"""Judgement of a run's host and of its time off the clock: what may hold a record."""

from speedrun.records.schema import Record
from speedrun.records.sections import CLOCK_TITLES, Host

# The lower of the rates of matrix products before and after training, as a share of the other.
# A laptop that grew hot keeps a good half of a cold one's; less means that something else ran.
MIN_RATE_SHARE = 0.5
# What the hypervisor and other processes took of the usable cores' time: a twentieth of a large
# machine, a fifth of a core of a small one.
MAX_LOST_SHARE = 0.05
MAX_LOST_CORES = 0.2
DESCRIBED_SINCE = "2026-12-01"  # records have schema 4

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

    Records before schema 4 do not say, which only those may that are older than it.
    """
    if record.host is not None:
        return judge(record.host, record.hardware.cores, record.hardware.accelerator)
    if record.created >= DESCRIBED_SINCE:  # both begin with the year; other text is refused
        return f"its record of schema {record.schema_version} does not describe its host"
    return None


def judge(host: Host, cores: int, accelerator: str | None) -> str | None:
    """The reason for which a host with so many usable cores is unfit; None for one that is fit."""
    before, after = host.matmul_before, host.matmul_after
    if before is None or after is None or min(before, after) <= 0:
        return "the rate of its device was not measured"
    lost = [("the hypervisor", _share(host.stolen_share))]
    if accelerator is None:  # where it does the work, cores matter little
        lost.append(("other processes", _share(host.others_share)))
    limit = max(MAX_LOST_SHARE, MAX_LOST_CORES / max(1, cores))
    if sum(share for _, share in lost) > limit:
        shares = " and ".join(f"{share:.0%} by {who}" for who, share in lost if share >= 0.005)
        return f"its cores' time was taken: {shares}; at most {limit:.0%} may be"
    if min(before, after) < MIN_RATE_SHARE * max(before, after):
        return f"its device went from {_rate(before)} to {_rate(after)} GFLOP/s during training"
    return None


def flags(record: Record) -> list[str]:
    """Accounts off the clock that took longer than an honest race needs, a phrase each."""
    seconds = record.clock.model_dump()
    return [
        f"{CLOCK_TITLES[name]} took {seconds[name]:,.0f} s, above {limit:,.0f} s"
        for name, limit in MAX_OFF_CLOCK_S.items()
        if seconds[name] > limit
    ]


def describe(host: Host) -> str:
    """The numbers of a host: `121 GFLOP/s before, 119 after; 0.5% stolen, 2.3% taken by others`."""
    rates = ["?" if r is None else _rate(r) for r in (host.matmul_before, host.matmul_after)]
    given = (host.stolen_share, host.others_share)
    shares = ["?" if s is None else f"{_share(s):.1%}" for s in given]
    return (
        f"{rates[0]} GFLOP/s before, {rates[1]} after; {shares[0]} stolen, {shares[1]} taken by"
        " others"
    )


def _rate(gflops: float) -> str:
    if abs(gflops) >= 1e9:  # of a stranger's record
        return f"{gflops:.0e}"
    return f"{gflops:,.0f}" if gflops >= 10 else f"{gflops:.2g}"


def _share(value: float | None) -> float:
    return min(1.0, max(0.0, value or 0.0))
