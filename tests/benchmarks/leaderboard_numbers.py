"""The numbers a leaderboard must reach: ten thousand records, and sixty-four submitters at once.

    python tests/benchmarks/leaderboard_numbers.py [--records 10000] [--processes 64]

Works in a temporary folder with a cache of its own; every command is a process of its own, as a
person starts it. Exit code 1 where a limit is missed.
"""

import argparse
import hashlib
import importlib.util
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
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from helpers.made_records import CONTENT, add, made, put, write_run  # noqa: E402

from leaderboard.store import Store  # noqa: E402
from leaderboard.submit import candidate, submit  # noqa: E402
from speedrun.records.schema import Record, seal  # noqa: E402

# Without a cache every record is hashed and reviewed: a millisecond each, over the cores.
COLD_S, TABLE_S, PAGE_S, SUBMIT_S = 20.0, 2.0, 20.0, 1.0
MEMORY_BYTES = 500e6
NUM_POINTS, NUM_SEEDS, PER_SUBMITTER = 200, 3, 10
ARCHS = ("transformer", "lstm", "ngram", "d3pm")
TRACKS = tuple((cls, s) for cls in ("cpu-x86_64-2c-avx512", "cuda-h200") for s in (60.0, 300.0))
# Runs a command and says, on its last line, how long it took and the most memory it had.
_MEASURE = (
    "import json, resource, subprocess, sys, time\n"
    "start = time.monotonic()\n"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "wall = time.monotonic() - start\n"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "kib = 1 if sys.platform == 'darwin' else 1024\n"
    "print(json.dumps([done.returncode, wall, used.ru_utime + used.ru_stime,"
    " used.ru_maxrss * kib]))\n"
)


def synthetic(number: int) -> Record:
    """A record of its own with a loss curve of real size; three in a row form an entry."""
    draw = random.Random(number)
    entry, seed = divmod(number, NUM_SEEDS)
    hardware, budget_s = TRACKS[entry % len(TRACKS)]
    arch = ARCHS[entry % 7 % len(ARCHS)]
    shares = [(k + draw.random()) / NUM_POINTS for k in range(NUM_POINTS)]
    num_tokens = draw.randrange(400_000, 1_000_000)
    bits = 0.7 + (entry * 7919 % 3000) / 3000 + draw.gauss(0, 0.004)
    changes: dict[str, object] = {
        "arch": arch,
        "config.arch": arch,
        "config.recipe.lr": 1e-3 + entry * 1e-6,
        "budget_s": budget_s,
        "config.budget_s": budget_s,
        "hardware.class": hardware,
        "clock.train_s": budget_s - 1.0,
        "train.num_tokens": num_tokens,
        "train.tokens_per_s": num_tokens / budget_s,
        "created": f"2026-{1 + entry % 10:02}-{1 + entry % 28:02}T{seed:02}:00:00+00:00",
        "train.loss_curve": [[s, 2.0 + 6.0 * math.exp(-9.0 * s) + draw.random()] for s in shares],
        "sample.text": " ".join(draw.choices(("Once", "a", "fox", "saw", "the", "moon"), k=150)),
    }
    return made(bits, seed, changes)


def fill(folder: Path, num_records: int) -> None:
    for number in range(num_records):
        entry = number // NUM_SEEDS
        add(folder, synthetic(number), name=f"idea {entry}", author=f"author {entry % 97}")


def measured(args: Sequence[object], cache: Path) -> tuple[int, float, float, int]:
    """Exit code, seconds, processor seconds and most bytes of a command in a fresh process."""
    command = [sys.executable, "-c", _MEASURE, sys.executable, str(ROOT / "run.py")]
    env = {**os.environ, "SPEEDRUN_CACHE": str(cache)}
    done = subprocess.run(
        [*command, *map(str, args)], stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT
    )
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def row(what: str, args: Sequence[object], cache: Path, limit_s: float) -> bool:
    code, wall_s, cpu_s, peak = measured(args, cache)
    kept = code == 0 and wall_s <= limit_s and peak <= MEMORY_BYTES
    cells = (
        what,
        f"{wall_s:.2f} s",
        f"{cpu_s:.2f} s",
        f"{peak / 1e6:.0f} MB",
        f"{limit_s:g} s",
        "yes" if kept else "NO",
    )
    print("| " + " | ".join(cells) + " |", flush=True)
    return kept


def commands(folder: Path, num_records: int) -> bool:
    """One line for each command on a store of many records."""
    store, cache, out = folder / "store", folder / "cache", folder / "out"
    fill(store, num_records)
    size = sum(path.stat().st_size for path in store.iterdir())
    print(f"{num_records} records, {size / 1e6:.0f} MB with their notes\n")
    print("| command | time | of the processor | peak memory | limit | kept |\n" + "|---" * 6 + "|")
    board = ["leaderboard", "--from", store]
    request = [
        ("table, nothing kept", board, COLD_S),
        ("table, again", board, TABLE_S),
        ("JSON", [*board, "--format", "json"], TABLE_S),
        ("Markdown", [*board, "--format", "markdown"], TABLE_S),
    ]
    if importlib.util.find_spec("leaderboard.render.html.page"):
        request.append(("page", [*board, "--format", "html", "--to", out], PAGE_S))
    request.append(("everything checked anew", [*board, "--check"], PAGE_S))
    for where, name in ((folder / "empty", "an empty store"), (store, "these records")):
        run = write_run(folder / "run", synthetic(num_records))
        request.append((f"one submission to {name}", ["submit", run, "--to", where], SUBMIT_S))
    kept = [row(what, args, cache, limit_s) for what, args, limit_s in request]
    return all(kept)


def submitter(folder: Path, number: int, is_same: bool) -> None:
    """One of many processes: submits its records, or those that all submit."""
    store = Store(str(folder))
    for k in range(PER_SUBMITTER):
        content: dict[str, Any] = json.loads(json.dumps(CONTENT))
        seed = k if is_same else number * PER_SUBMITTER + k
        content["seed"] = content["config"]["seed"] = seed
        put(content, "weights_sha256", hashlib.sha256(str(seed).encode()).hexdigest())
        run = write_run(folder.parent / f"run-{number}-{k}", seal(content))
        submit(candidate(run), store, name=f"of {number}", author=None, opens=None)


def at_once(folder: Path, num_processes: int, is_same: bool) -> tuple[int, float, str]:
    """(records that hold, seconds, what the check says) after all submitted at once."""
    store = folder / "store"
    program = (
        "import sys; from pathlib import Path; import leaderboard_numbers as numbers\n"
        "numbers.submitter(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == 'True')"
    )
    started = time.monotonic()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(store), str(k), str(is_same)],
            cwd=Path(__file__).parent,
        )
        for k in range(num_processes)
    ]
    failed = sum(process.wait() != 0 for process in running)
    wall_s = time.monotonic() - started
    check = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "leaderboard", "--check", "--from", str(store)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    said = check.stderr.strip().splitlines()[-1] if not failed else f"{failed} processes failed"
    return len([n for n in Store(str(store)).names() if n.count(".") == 1]), wall_s, said


def concurrency(folder: Path, num_processes: int) -> bool:
    print(f"\n{num_processes} processes, {PER_SUBMITTER} records each, one folder\n")
    print("| what | records | expected | time | check |\n" + "|---" * 5 + "|")
    all_kept = True
    for is_same, expected in ((False, num_processes * PER_SUBMITTER), (True, PER_SUBMITTER)):
        inner = folder / f"same-{is_same}"
        num_records, wall_s, said = at_once(inner, num_processes, is_same)
        what = "the same records" if is_same else "records of their own"
        print(f"| {what} | {num_records} | {expected} | {wall_s:.1f} s | {said} |", flush=True)
        all_kept &= num_records == expected and said.endswith("all of them hold")
    return all_kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", default=10_000, type=int)
    parser.add_argument("--processes", default=64, type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = commands(Path(folder), args.records)
        kept &= concurrency(Path(folder), args.processes)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
