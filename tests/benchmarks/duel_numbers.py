"""Rates of false verdicts and of found differences in simulated duels of five minutes, as tables.

    python tests/benchmarks/duel_numbers.py [--duels 100000]

The spreads are those of recorded runs; `tests/helpers/simulated_duels.py` has the hosts.
"""

import argparse

import numpy as np
from common import heading, line
from helpers import simulated_duels as simulated
from scipy.special import betaincinv

from speedrun.duel.sequential import MIN_PAIRS, decisions

RULES = [(3, "fixed"), (5, "fixed"), (8, "fixed"), (8, "early"), (12, "early")]
DIFFERENCES = (0.0025, 0.005, 0.01, 0.02)
GATED = [(host, False) for host in simulated.HOSTS] + [(simulated.neighbour, True)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duels", type=int, default=100_000)
    num, rng = parser.parse_args().duels, np.random.default_rng(0)
    seed, slope, speed = simulated.spreads()
    print(f"seeds: {seed:.2%} of bits per byte; host: {speed:.1%} of speed, exponent {slope:.3f}\n")
    heading("no difference", "pairs", "stop", "B in %", "A in %", "at most", "mean pairs", "no end")
    for host, gated in GATED:
        for planned, stop in RULES:
            values = simulated.ln_ratios(host, rng, num, planned, gated=gated)
            found, looks, unfinished = judged(values, planned, stop)
            b, a = int((found == "b").sum()), int((found == "a").sum())
            rates = f"{b / len(found):.2%}", f"{a / len(found):.2%}", upper(max(a, b), len(found))
            line(name(host, gated), planned, stop, *rates, looks, unfinished)
    print()
    heading("found", "pairs", "stop", *[f"{one:.2%}" for one in DIFFERENCES], "mean pairs at 1 %")
    for host, gated in GATED:
        for planned, stop in RULES[1:]:
            results = {
                one: judged(
                    simulated.ln_ratios(host, rng, num // 10, planned, -one, gated), planned, stop
                )
                for one in DIFFERENCES
            }
            rates = [f"{(found == 'b').mean():.1%}" for found, _, _ in results.values()]
            line(name(host, gated), planned, stop, *rates, results[0.01][1])


def judged(values: np.ndarray, planned: int, stop: str) -> tuple[np.ndarray, str, str]:
    """Decisions of finished duels, their mean number of pairs, and the share of unfinished ones."""
    done = np.isfinite(values).all(axis=1)
    found, looks = decisions(values[done], planned, stop)
    pairs = looks + (MIN_PAIRS - 1 if stop == "early" else planned - 1)
    return found, f"{pairs.mean():.1f}", f"{1 - done.mean():.0%}" if not done.all() else ""


def name(host: simulated.Host, gated: bool) -> str:
    """First line of the host's description."""
    text = (host.__doc__ or "").split(".")[0].lower()
    return f"{text}; such pairs raced again" if gated else text


def upper(count: int, num: int) -> str:
    """Upper 97.5 % confidence limit of a rate (Clopper and Pearson 1934)."""
    return f"{betaincinv(count + 1, num - count, 0.975):.2%}"


if __name__ == "__main__":
    main()
