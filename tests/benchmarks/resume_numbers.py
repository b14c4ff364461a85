"""Score of a race that is killed at random moments and resumed each time, beside unbroken ones.

    python tests/benchmarks/resume_numbers.py --data PATH [--minutes 1] [--kills 10] [--params 2M]

The unbroken races are of the same seed and of two more, for the noise between seeds.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import heading, line

from speedrun.records import schema
from speedrun.records.files import RECORD

RUN = Path(__file__).resolve().parents[2] / "run.py"
EVERY = 0.05  # minutes between checkpoints


def main() -> None:
    """Race, kill, resume, and print a row for each race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--params", default="2M")
    given = parser.parse_args()
    words = ["--minutes", given.minutes, "--params", given.params, "--data", given.data]
    words += ["--tune", "off", "--eval-docs", "500"]
    heading("race", "resumed", "bits per byte", "tokens", "s a checkpoint")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for seed in range(3):
            raced = _command(*words, "--seed", seed, "--out", out / f"whole-{seed}")
            raced.wait()
            _show(f"unbroken, seed {seed}", out / f"whole-{seed}")
        moments = sorted(random.uniform(0, 60 * given.minutes) for _ in range(given.kills))
        own = out / "broken"
        raced = _command(*words, "--out", own, "--checkpoint-every", EVERY)
        for moment in moments:
            while raced.poll() is None and _spent_s(own) < moment:
                time.sleep(0.05)
            raced.kill()
            raced.wait()
            if (run := _name(own)) is None:
                raced = _command(*words, "--out", own, "--checkpoint-every", EVERY)
            else:
                raced = _command("resume", own / run)
        raced.wait()
        _show(f"killed {given.kills} times", own)


def _command(*words: object) -> subprocess.Popen[bytes]:
    """The command line in a process of its own; what it says is of no interest."""
    argv = [sys.executable, str(RUN), *map(str, words)]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _name(out: Path) -> str | None:
    """Name of the run that has a checkpoint, if one has."""
    found = [*out.glob("*/checkpoint.safetensors"), *out.glob(".*.partial/checkpoint.safetensors")]
    return found[0].parent.name.removeprefix(".").removesuffix(".partial") if found else None


def _spent_s(out: Path) -> float:
    """Seconds of the budget that the race under way has spent, by its log."""
    logs = [path.read_text().splitlines() for path in out.glob(".*.partial/log.jsonl")]
    lines = [text for log in logs for text in log if text.startswith("{") and text.endswith("}")]
    return max((json.loads(text)["spent_s"] for text in lines), default=0.0)


def _show(title: str, out: Path) -> None:
    (path,) = out.glob(f"*/{RECORD}")
    record = schema.load(path)
    assert record.score is not None and record.status == "complete"
    facts = record.train.engine
    each = facts["checkpoints_s"] / facts["checkpoints"] if facts.get("checkpoints") else 0.0
    score = f"{record.score.bits_per_byte:.4f}"
    line(title, len(record.resumes), score, f"{record.train.num_tokens:,}", f"{each:.3f}")


if __name__ == "__main__":
    main()
