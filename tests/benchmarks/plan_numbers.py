"""Estimates of a plan beside measurements of ten seconds of training on this machine.

    python tests/benchmarks/plan_numbers.py [--arch transformer,lstm,d3pm] [--params 250K,2M,10M]

Each estimate comes from `plan --measure` in a process of its own, at two batches; the activations
are the difference between their peaks. Needs an idle machine for the rates. Exit code 1 if memory
is off by more than a factor 1.5.
"""

import argparse
import sys

from common import command, heading, line

LIMIT = 1.5
ROWS = (8, 32)


def row(arch: str, params: str) -> bool:
    """Print one size; whether memory kept the limit."""
    words = ("plan", "--measure", "--arch", arch, "--params", params, "--dtype", "fp32")
    few, many = (command(*words, "--batch", rows) for rows in ROWS)
    peaks = [plan["time"]["probe_peak_bytes"] for plan in (few, many)]
    estimates = [plan["memory"]["activations_bytes"] for plan in (few, many)]
    activations = (peaks[1] - peaks[0]) / (estimates[1] - estimates[0])
    # No data is read here: of the program only what is there without it.
    total = peaks[1] / many["memory"]["total_bytes"]
    kept = all(1 / LIMIT <= ratio <= LIMIT for ratio in (activations, total))
    time = many["time"]
    line(
        arch,
        params,
        f"{estimates[1] / 1e6:,.0f} MB",
        f"{activations:.2f}",
        f"{many['memory']['total_bytes'] / 1e6:,.0f} MB",
        f"{total:.2f}",
        f"{time['probe_tokens_per_s']:,.0f}",
        f"{time['probe_flop_s_6n'] / 1e9:,.0f}",
        f"{time['probe_flop_s_exact'] / 1e9:,.0f}",
        f"{time['probe_share_exact']:.0%}",
        "yes" if kept else "NO",
    )
    return kept


def main() -> None:
    """Measure every architecture and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--arch", default="transformer,lstm,d3pm")
    parser.add_argument("--params", default="250K,2M,10M")
    args = parser.parse_args()
    heading(
        *("architecture", "size", "activations, estimated", "measured / that"),
        *("all memory, estimated", "measured / that", "tokens/s", "GFLOP/s by 6·N"),
        *("by exact count", "share of products", "within 1.5"),
    )
    sizes = args.params.split(",")
    kept = [row(arch, params) for arch in args.arch.split(",") for params in sizes]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
