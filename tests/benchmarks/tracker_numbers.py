"""What trackers cost a race: seconds in their callbacks, and those of their threads and processes.

    python tests/benchmarks/tracker_numbers.py [--minutes 1] [--kinds tensorboard,trackio,wandb]

The sum, while the clock ran, must be under 0.2 % of the budget. A thread's seconds are of a core:
they count as if each of them had held up training. Weights & Biases runs offline. Exit code 1
where the limit is missed.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from common import heading, line

import speedrun
from speedrun.ui.trackers import Tracker

LIMIT = 0.002  # of the budget


class Metered:
    """Seconds that trackers take, from the start of a training to its end."""

    def __init__(self) -> None:
        self.open_s = self.callbacks_s = self.slowest_s = self.threads_s = self.processes_s = 0.0
        self.num_ticks = 0
        self._of_before: set[int] = set()

    def __enter__(self) -> "Metered":
        start, tick, phase = Tracker.start, Tracker.tick, Tracker.phase

        def timed_start(tracker, run, machine):
            self._of_before = set(self._seconds()) - {threading.get_native_id()}
            began_s = time.perf_counter()
            start(tracker, run, machine)
            self.open_s = time.perf_counter() - began_s
            self._opened = self._seconds()

        def timed_tick(tracker, state):
            began_s = time.perf_counter()
            tick(tracker, state)
            took_s = time.perf_counter() - began_s
            self.num_ticks += 1
            self.callbacks_s += took_s
            self.slowest_s = max(self.slowest_s, took_s)

        def at_the_end(tracker, text):
            if text == "saving the model":
                new, own = self._seconds(), threading.get_native_id()
                for number in self._opened.keys() - self._of_before - {own}:
                    took_s = new.get(number, self._opened[number]) - self._opened[number]
                    if number in self._threads:
                        self.threads_s += took_s
                    else:
                        self.processes_s += took_s
            phase(tracker, text)

        Tracker.start, Tracker.tick, Tracker.phase = timed_start, timed_tick, at_the_end
        self._undo = (start, tick, phase)
        return self

    def __exit__(self, *exc: object) -> None:
        Tracker.start, Tracker.tick, Tracker.phase = self._undo

    def _seconds(self) -> dict[int, float]:
        """Processor time of each thread of this process and of each child."""
        process = psutil.Process()
        found = {one.id: one.user_time + one.system_time for one in process.threads()}
        self._threads = set(found)
        for child in process.children(recursive=True):
            times = child.cpu_times()
            found[child.pid] = times.user + times.system
        return found


def main() -> None:
    """Race once with each tracker and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="storybook")
    parser.add_argument("--minutes", default=1.0, type=float)
    parser.add_argument("--kinds", default="tensorboard,trackio,wandb")
    args = parser.parse_args()
    os.environ.setdefault("WANDB_MODE", "offline")
    titles = ("opening", "ticks", "callbacks", "slowest", "threads", "processes", "of the budget")
    heading("tracker", *titles)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRACKIO_DIR"] = str(Path(folder) / "trackio")
        for kind in args.kinds.split(","):
            with Metered() as took:
                speedrun.race(
                    minutes=args.minutes,
                    params="60K",
                    data=args.data,
                    vocab=300,
                    eval_docs=20,
                    tune="off",
                    set={"recipe.compile": False, "model.context": 32},
                    track=kind,
                    out=folder,
                    show=False,
                )
            share = (took.callbacks_s + took.threads_s + took.processes_s) / (60 * args.minutes)
            good &= share < LIMIT
            cells = (f"{took.callbacks_s:.4f} s", f"{1e3 * took.slowest_s:.2f} ms")
            cells += (f"{took.threads_s:.2f} s", f"{took.processes_s:.2f} s", f"{share:.3%}")
            line(kind, f"{took.open_s:.1f} s", took.num_ticks, *cells)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
