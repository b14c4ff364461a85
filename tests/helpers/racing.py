"""Races in processes of their own, for the scripts here that make tables."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


def race(arguments: Sequence[str], data: Path, out: Path) -> dict[str, Any]:
    """The record of one race; `out` holds its run folder and a cache that its races share."""
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        "--json",
        "--data",
        str(data),
        "--out",
        str(out),
        *arguments,
    ]
    env = {**os.environ, "SPEEDRUN_CACHE": str(out / "cache")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True)
    return json.loads(done.stdout)


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Mean ± standard deviation over seeds."""
    sd = f" ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):,.{digits}f}{sd}"
