"""Races stopped at random moments: what is torn, lost or left behind, and what is not said.

    python tests/benchmarks/survival_numbers.py --data PATH [--arch ngram] [--signal KILL]

A race of seconds is stopped between its start and its end: at even moments, while its model is
written, and while it is scored. The next race in the same folder cleans up; then every file is
read and checked. Exit code 1 if anything is lost. Busy machines only make it slower.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from common import ROOT, heading, line

from speedrun.records import artifacts, schema

RACE = ["--params", "250K", "--tune", "off", "--minutes", "0.03", "--eval-docs", "100"]
NET = ["--set", "recipe.compile=false", "--device", "cpu"]
PHASES = {  # how the last line of a race begins: where it is
    "telling": "sampling",
    "scoring": "scoring",
    "saving": "writing",
    "training": "training",
    " ": "training",
    "compiling": "warm-up",
    "building": "building",
    "preparing": "tokenizer",
    "opening": "data",
}
COLUMNS = ("torn", "lost", "silent", "traceback")


def start(args: argparse.Namespace, out: Path, log: Path) -> subprocess.Popen[bytes]:
    """A race in a process of its own, whose output goes to a file."""
    words = [sys.executable, str(ROOT / "run.py"), *RACE, "--arch", args.arch]
    words += ["--data", str(args.data), "--out", str(out)] + (NET if args.arch != "ngram" else [])
    env = {**os.environ, "SPEEDRUN_CACHE": str(out.parent / "cache"), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as file:
        return subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, env=env)


def wait_for_moment(race: subprocess.Popen[bytes], out: Path, duration_s: float) -> None:
    """Return at a random moment of a race; a third each by time, while it writes and scores."""
    before, begun_s = set(out.glob("2*")), time.monotonic()
    kind, after_s = random.choice(("time", "writing", "scoring")), random.random() * duration_s
    while race.poll() is None:
        if kind == "time" and time.monotonic() - begun_s > after_s:
            return
        if kind == "writing" and any(out.glob(".*.partial/record.json")):
            time.sleep(random.random() * 0.01)
            return
        if kind == "scoring" and set(out.glob("2*")) - before:
            time.sleep(random.random() * 0.3 * duration_s)
            return
        time.sleep(0.001)


def torn(folder: Path) -> Iterator[str]:
    """Files of a run that are not whole."""
    try:
        record = schema.load(folder / "record.json")
        artifacts.read_weights(folder, record)
        json.loads((folder / "tokenizer.json").read_bytes())
        json.loads((folder / "local.json").read_bytes())
        for entry in (folder / "log.jsonl").read_text().splitlines():
            json.loads(entry)
        if record.sample is not None and not (folder / "samples.txt").read_text():
            yield f"{folder}: no sample"
    except (OSError, ValueError) as error:
        yield str(error)
    yield from (f"{path}: left" for path in folder.glob(".*"))


def main() -> None:
    """Stop races, check what they left, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--arch", default="transformer")
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--times", type=int, default=200)
    args = parser.parse_args()
    number = signal.Signals[f"SIG{args.signal}"]
    folder = Path(tempfile.mkdtemp(prefix="survival-"))
    out, log, stopped = folder / "runs", folder / "log", Counter[str]()
    problems: dict[str, list[str]] = defaultdict(list)
    duration_s = 0.0
    for _ in range(2):  # the second one finds warm caches
        begun_s = time.monotonic()
        start(args, out, log).wait()
        duration_s = time.monotonic() - begun_s
    if len(set(out.glob("2*"))) < 2:
        sys.exit(f"a race that nobody stops fails here: {log.read_text()}")
    for _ in range(args.times):
        before = set(out.glob("2*"))
        race = start(args, out, log)
        wait_for_moment(race, out, duration_s)
        race.send_signal(number)
        code = race.wait(120)
        said = log.read_text(errors="replace").splitlines()
        told = [text for text in said if re.match("stopped|error|saved in|[Tt]erminated", text)]
        phases = [p for text in said for begin, p in PHASES.items() if text.startswith(begin)]
        phase = phases[-1] if phases else "start-up"
        stopped[phase] += 1
        if any(text.startswith("Traceback") for text in said):
            problems["traceback"].append(f"{phase}: {said[-1]}")
        if number != signal.SIGKILL and not told:
            problems["silent"].append(f"{phase}: ended with {code} and said {said[-1:]}")
        if phase in ("scoring", "sampling") and not set(out.glob("2*")) - before:
            problems["lost"].append(f"{phase}: the trained run is not there")
    start(args, out, log).wait()
    problems["torn"] = [text for run in sorted(out.glob("2*")) for text in torn(run)]
    problems["left"] = [str(path) for path in out.glob(".*")]
    statuses = Counter(schema.load(path).status for path in out.glob("2*/record.json"))
    heading("stopped in", f"SIG{args.signal}")
    for phase in ("start-up", *dict.fromkeys(reversed(PHASES.values()))):
        line(phase, stopped[phase])
    for what in (*COLUMNS, "left"):
        line(what, len(problems[what]))
    print(f"\n{dict(statuses)} in {out}; a race takes {duration_s:.1f} s")
    print("\n".join(f"{what}: {text}" for what in problems for text in problems[what]))
    sys.exit(any(problems.values()))


if __name__ == "__main__":
    main()
