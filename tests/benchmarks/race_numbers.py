"""The tables of README and architectures/README.md, and the limits that every race must keep.

    python tests/benchmarks/race_numbers.py --data PATH [--rows "transformer;goedecke"]

Seeds are the outer loop, so that a machine that slows down slows all rows. Records in --out are
kept and not raced again. Uses a cache of its own: the first race is cold, the others are warm.
Needs an idle machine, about 100 minutes for all rows. Exit code 1 if a limit is missed.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from common import heading, line, race, spread

BUDGET_USED = (
    0.99  # training and data, share of the budget, at least; counted models are done early
)
DATA_WAIT = {"cold": 0.03, "warm": 0.005}  # share of the budget, at most
OVERSHOOT = 0.005
FIRST_STEP_S = {"cold": 30.0, "warm": 15.0}  # from the command on, compilation apart
LOWER_THAN_GOEDECKE = 0.18  # the transformer's bits per byte below goedecke's, at least
ROWS = {
    "d3pm, uniform": ["--arch", "d3pm", "--set", "model.transition=uniform"],
    "lstm": ["--arch", "lstm"],
    "d3pm": ["--arch", "d3pm"],
    "ngram, 2M": ["--arch", "ngram"],
    "ngram, 20M": ["--arch", "ngram", "--params", "20M"],
    "goedecke": ["--recipe", "goedecke"],
    "transformer": ["--arch", "transformer"],
}


def raced(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """The record of this row and seed, from an earlier call of this script or from a race."""
    file = args.out / "records" / f"{name.replace(', ', '-')}-{seed}.json"
    if not file.is_file():
        cache = "warm" if (args.out / "cache").is_dir() else "cold"
        words = ["--minutes", str(args.minutes), "--seed", str(seed), *ROWS[name]]
        words += [] if "--params" in words else ["--params", "2M"]
        record = {**race(words, args.data, args.out), "cache": cache}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record))
    return json.loads(file.read_text())


def kept(name: str, seed: int, record: dict[str, Any]) -> bool:
    """Print what a race did with its time; whether it kept its limits."""
    clock, budget_s, cache = record["clock"], record["budget_s"], record["cache"]
    used = (clock["train_s"] + clock["data_wait_s"]) / budget_s
    waited, overshoot = clock["data_wait_s"] / budget_s, clock["overshoot_s"] / budget_s
    first_step_s = sum(clock[f"{a}_s"] for a in ("startup", "tokenizer", "build", "warmup"))
    holds = (
        (used >= BUDGET_USED or name.startswith("ngram"))
        and waited <= DATA_WAIT[cache]
        and overshoot <= OVERSHOOT
        and clock["suspended_s"] == 0
        and first_step_s <= FIRST_STEP_S[cache]
    )
    cells = (f"{used:.2%}", f"{waited:.2%}", f"{overshoot:.2%}", f"{first_step_s:.1f} s")
    score = f"{record['score']['bits_per_byte']:.4f}"
    line(name, seed, cache, score, *cells, f"{clock['compile_s']:.1f} s", "yes" if holds else "NO")
    return holds


def row(name: str, records: list[dict[str, Any]]) -> None:
    """Print a line of the table."""
    scores, trains, clocks = ([r[key] for r in records] for key in ("score", "train", "clock"))
    sign = "≤ " if scores[0]["likelihood"] == "bound" else ""
    line(
        name,
        f"{records[0]['num_params'] / 1e6:.2f}M",
        sign + spread([score["bits_per_byte"] for score in scores]),
        sign + spread([score["perplexity"] for score in scores], 2),
        f"{statistics.fmean(train['num_tokens'] for train in trains) / 1e6:.2f}M",
        spread([train["tokens_per_s"] for train in trains], 0),
        f"{statistics.fmean(c['train_s'] + c['data_wait_s'] for c in clocks):.0f} s",
        len(records),
    )


def main() -> None:
    """Race what is missing; print the limits, the table and the stories of seed 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--rows", default=";".join(ROWS), help="names, separated by semicolons")
    parser.add_argument("--minutes", default=5.0, type=float)
    parser.add_argument("--seeds", default=3, type=int)
    parser.add_argument("--out", default=Path("runs/race_numbers"), type=Path)
    args = parser.parse_args()
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in args.rows.split(";")}
    times = ("budget used", "waiting", "overshoot", "to first step", "compile", "limits kept")
    heading("row", "seed", "cache", "bits per byte", *times)
    good = True
    for seed in range(args.seeds):
        for name, found in records.items():
            found.append(raced(name, seed, args))
            good &= kept(name, seed, found[-1])
    print()
    titles = ("architecture", "parameters", "bits per byte", "perplexity", "tokens", "tokens/s")
    heading(*titles, "budget spent", "n")
    means = {}
    for name, found in records.items():
        means[name] = statistics.fmean(record["score"]["bits_per_byte"] for record in found)
    for name in sorted(means, key=lambda name: means[name]):
        row(name, records[name])
    if {"transformer", "goedecke"} <= means.keys():
        lower = 1 - means["transformer"] / means["goedecke"]
        print(f"\ntransformer is {lower:.1%} below goedecke (at least {LOWER_THAN_GOEDECKE:.0%})")
        good &= lower >= LOWER_THAN_GOEDECKE
    for name, found in records.items():
        print(f"\n**{name}** (seed 0): {found[0]['sample']['text']}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
