"""Cost of trackers to a race, as a share of its budget.

    python tests/benchmarks/tracker_numbers.py [--seconds 60] [--kinds tensorboard,trackio,wandb]

Each tracker is told what a race of so many seconds tells it, at that pace, by a process that does
nothing else: all of its processor time and of the processes that the library starts is the
tracker's. It counts as if all of it held up training. Weights & Biases runs offline. Exit code 1
where 0.2 % of the budget is exceeded.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from common import heading, line

from speedrun.models import loader
from speedrun.training import request
from speedrun.training.callbacks import Silent
from speedrun.training.request import RunRequest
from speedrun.training.trainer import SYNC_EVERY_S, Tick
from speedrun.ui import trackers

LIMIT = 0.002  # of the budget


def processor_s() -> tuple[float, float]:
    """Processor time of this process and of its children."""
    children = (child.cpu_times() for child in psutil.Process().children(recursive=True))
    return time.process_time(), sum(times.user + times.system for times in children)


def measure(kind: str, seconds: float, out: Path) -> bool:
    """Print the cost of a tracker; whether it is within the limit."""
    asked = RunRequest(arch="transformer", params="2M", budget_s=seconds, out=out)
    run = request.resolve(loader.architecture(asked.arch), asked, 4096)
    tracker, slowest_s, num_ticks = trackers.tracker(kind, out), 0.0, int(seconds / SYNC_EVERY_S)
    with tracker.beside(Silent()):
        began_s = time.monotonic()
        tracker.start(run, "a machine")
        open_s, before = time.monotonic() - began_s, processor_s()
        for number in range(num_ticks):
            share = number / num_ticks
            tick = Tick(
                share=share,
                loss_nats=9.0 - share,
                lr_scale=1.0 - share,
                num_tokens=2048 * number,
                num_steps=number,
                spent_s=share * seconds,
                tokens_per_s=1e4,
            )
            began_s = time.monotonic()
            tracker.tick(tick)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            time.sleep(SYNC_EVERY_S)
        own_s, children_s = (now - then for now, then in zip(processor_s(), before, strict=True))
    share = (own_s + children_s) / seconds
    cells = (f"{open_s:.1f} s", num_ticks, f"{1e3 * slowest_s:.2f} ms")
    line(kind, *cells, f"{own_s:.3f} s", f"{children_s:.2f} s", f"{share:.3%}")
    return share < LIMIT


def main() -> None:
    """Measure each tracker that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", default=60.0, type=float)
    parser.add_argument("--kinds", default="tensorboard,trackio,wandb")
    args = parser.parse_args()
    os.environ.setdefault("WANDB_MODE", "offline")
    heading("tracker", "opening", "ticks", "slowest", "process", "its children", "of the budget")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("TRACKIO_DIR", str(Path(folder) / "trackio"))
        good = [measure(kind, args.seconds, Path(folder)) for kind in args.kinds.split(",")]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
