"""The limits of a leaderboard: ten thousand records, and sixty-four submitters at once.

    python tests/benchmarks/leaderboard_numbers.py [--records 10000] [--processes 64] [--page-only]

Works in a temporary folder with a cache of its own; every command is a process of its own. Exit
code 1 if a limit is missed.
"""

import argparse
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import ROOT, heading, line
from helpers.made_records import NUM_BYTES, NUM_TOKENS, add, made, write_run

from leaderboard.store import Store
from speedrun.records.schema import Record

# Without a cache every record is hashed and validated: a millisecond each, over the cores.
COLD_S, TABLE_S, PAGE_S, CHECK_S, SUBMIT_S = 20.0, 2.0, 15.0, 20.0, 1.0
MEMORY_BYTES = 500e6
NUM_POINTS, NUM_SEEDS, PER_SUBMITTER = 200, 3, 10
ARCHS = ("transformer", "lstm", "ngram", "d3pm")
BUDGETS = (60.0, 120.0, 300.0, 600.0)
# Runs a command and prints its exit code, seconds, CPU seconds and peak bytes.
_MEASURE = """
import json, resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([code, time.monotonic() - start, used.ru_utime + used.ru_stime, peak]))
"""


def synthetic(number: int) -> Record:
    """A unique record with a loss curve of real size; three in a row form an entry."""
    draw = random.Random(number)
    entry, seed = divmod(number, NUM_SEEDS)
    budget_s = BUDGETS[entry % len(BUDGETS)]
    arch, num_tokens = ARCHS[entry % 7 % len(ARCHS)], draw.randrange(400_000, 1_000_000)
    shares = [(k + draw.random()) / NUM_POINTS for k in range(NUM_POINTS)]
    bits = 0.7 + (entry * 7919 % 3000) / 3000 + draw.gauss(0, 0.004)
    nats = bits * math.log(2) * NUM_BYTES / NUM_TOKENS
    changes: dict[str, object] = {
        "arch": arch,
        "config.arch": arch,
        "config.recipe.lr": 1e-3 + entry * 1e-6,
        "budget_s": budget_s,
        "config.budget_s": budget_s,
        "clock.train_s": budget_s - 1.0,
        "source.is_outside": True,  # so that nobody here counts its parameters
        "train.num_tokens": num_tokens,
        "train.tokens_per_s": num_tokens / budget_s,
        "created": f"2026-{1 + entry % 10:02}-{1 + entry % 28:02}T{seed:02}:00:00+00:00",
        "train.loss_curve": [
            [s, nats + 6.0 * math.exp(-9.0 * s) + 0.1 * draw.random()] for s in shares
        ],
        "weights_sha256": hashlib.sha256(str(number).encode()).hexdigest(),
    }
    return made(bits, seed, changes)


def row(what: str, words: Sequence[object], cache: Path, limit_s: float) -> bool:
    """Print a command's time and memory; whether it kept the limits."""
    shown = [sys.executable, "-c", _MEASURE, sys.executable, str(ROOT / "run.py"), *map(str, words)]
    env = {**os.environ, "SPEEDRUN_CACHE": str(cache)}
    said = subprocess.run(shown, stdout=subprocess.PIPE, text=True, env=env).stdout
    code, wall_s, cpu_s, peak = json.loads(said.splitlines()[-1])
    kept = code == 0 and wall_s <= limit_s and peak <= MEMORY_BYTES
    cells = (f"{wall_s:.2f} s", f"{cpu_s:.2f} s", f"{peak / 1e6:.0f} MB", f"{limit_s:g} s")
    line(what, *cells, "yes" if kept else "NO")
    return kept


def commands(folder: Path, num_records: int, *, page_only: bool) -> bool:
    """Measure each command on a store of many records, or the page alone once they were read."""
    store, cache = folder / "store", folder / "cache"
    for number in range(num_records):
        entry = number // NUM_SEEDS
        add(store, synthetic(number), name=f"idea {entry}", author=f"author {entry % 97}")
    print(f"{num_records} records\n")
    heading("command", "time", "CPU time", "peak memory", "limit", "kept")
    board = ["leaderboard", "--from", store]
    measured = [
        ("table, nothing cached", board, COLD_S),
        ("table, again", board, TABLE_S),
        ("JSON", [*board, "--format", "json"], TABLE_S),
        ("Markdown", [*board, "--format", "markdown"], TABLE_S),
        ("page", [*board, "--format", "html", "--to", folder / "out"], PAGE_S),
        ("everything checked again", [*board, "--check"], CHECK_S),
    ]
    run = write_run(folder / "run", synthetic(num_records))
    for where, name in ((folder / "empty", "an empty store"), (store, "these records")):
        measured.append((f"one submission to {name}", ["submit", run, "--to", where], SUBMIT_S))
    wanted = ("table, nothing cached", "page") if page_only else [what for what, *_ in measured]
    kept = [row(*one[:2], cache, one[2]) for one in measured if one[0] in wanted]
    return all(kept)


def concurrency(folder: Path, num_processes: int, is_same: bool) -> bool:
    """Many processes submit ten records each to one folder: the same ten, or their own."""
    folder.mkdir()
    store, num_runs = folder / "store", PER_SUBMITTER * (1 if is_same else num_processes)
    runs = [write_run(folder / f"run-{n}", synthetic(n)) for n in range(num_runs)]
    program = [sys.executable, str(ROOT / "run.py")]
    started = time.monotonic()
    running = []
    for k in range(0, PER_SUBMITTER * num_processes, PER_SUBMITTER):
        mine = [str(runs[n % num_runs]) for n in range(k, k + PER_SUBMITTER)]
        words = [*program, "submit", *mine, "--to", str(store), "--name", "an idea"]
        running.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))
    failed = sum(process.wait() != 0 for process in running)
    wall_s = time.monotonic() - started
    check = [*program, "leaderboard", "--check", "--from", str(store)]
    holds = subprocess.run(check, capture_output=True).returncode == 0
    found = len([name for name in Store(str(store)).names() if name.count(".") == 1])
    what = "the same records" if is_same else "records of their own"
    line(what, found, num_runs, f"{wall_s:.1f} s", failed, "yes" if holds else "NO")
    return found == num_runs and holds and not failed


def main() -> None:
    """Measure the commands, then the submitters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", default=10_000, type=int)
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("--processes", default=64, type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = commands(Path(folder), args.records, page_only=args.page_only)
        if args.page_only:
            sys.exit(0 if kept else 1)
        print(f"\n{args.processes} processes, {PER_SUBMITTER} records each, one folder\n")
        heading("what", "records", "expected", "time", "failed", "all hold")
        for is_same in (False, True):
            kept &= concurrency(Path(folder) / f"same-{is_same}", args.processes, is_same)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
