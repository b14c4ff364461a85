"""Commands in processes of their own and Markdown tables, for the scripts of this folder."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def command(*words: object, **env: str) -> Any:
    """The JSON that a command prints on standard output."""
    line = [sys.executable, str(ROOT / "run.py"), *map(str, words), "--json"]
    done = subprocess.run(
        line, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **env}
    )
    return json.loads(done.stdout)


def race(words: Sequence[str], data: Path, out: Path) -> dict[str, Any]:
    """The record of one race; `out` holds its run directory and a cache that its races share."""
    return command("--data", data, "--out", out, *words, SPEEDRUN_CACHE=str(out / "cache"))


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Mean ± standard deviation over seeds."""
    sd = f" ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):,.{digits}f}{sd}"


def heading(*titles: str) -> None:
    """Print the head of a Markdown table."""
    line(*titles)
    print("|---" * len(titles) + "|", flush=True)


def line(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
