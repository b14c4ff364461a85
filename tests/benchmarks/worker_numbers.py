"""Tokens per second of one pass by all threads and of workers, on a quiet and on a busy machine.

    python tests/benchmarks/worker_numbers.py [--arch transformer lstm] [--compile off default]

A row is an engine of `default` at --params; engines take turns, a block of steps each, first alone
and then beside a process that keeps one core busy. Exit code 1 where that slows the workers to
less than 1 / --most of what they do alone. Needs an otherwise idle machine with two cores or more.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from common import heading, line

from speedrun.autotune import synthetic_batch
from speedrun.backends import registry
from speedrun.config import Recipe
from speedrun.device import ExecutionConfig
from speedrun.models import loader
from speedrun.protocols import EngineSpec

_SPIN = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
while True:
    pass
"""
BLOCK_S = 0.5


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Within it another process keeps one core busy, always the same where that can be said."""
    process = subprocess.Popen([sys.executable, "-c", _SPIN])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


class Timed:
    """An engine that takes steps on the same rows; the first ones compile."""

    def __init__(self, arch: str, params: str, **execution: Any) -> None:
        architecture = loader.architecture(arch)
        fields: Mapping[str, Any] = architecture.RECIPES["default"]
        model = architecture.for_params(int(float(params[:-1]) * 1e6), 4096, **fields["model"])
        spec = EngineSpec(
            architecture=architecture,
            config=model,
            recipe=Recipe(**fields["recipe"]),
            device=registry.device("cpu", architecture),
            execution=ExecutionConfig(**execution),
        )
        self.backend, self.spec = registry.backend("torch"), spec
        self.engine = registry.engine(spec)
        self.rows = synthetic_batch.rows(spec.recipe.batch_rows, model)
        self.num_tokens = self.rows[:, 1:].size
        self.block()

    def block(self) -> float:
        """Tokens per second over a block of at least two steps."""
        self.backend.prepare(self.spec.device, self.spec.execution)
        start, num_steps = time.perf_counter(), 0
        while num_steps < 2 or time.perf_counter() - start < BLOCK_S:
            self.engine.step(self.rows, 1.0)
            num_steps += 1
        self.engine.sync()
        return num_steps * self.num_tokens / (time.perf_counter() - start)


def rates(engines: Mapping[Any, Timed], num_rounds: int) -> dict[Any, list[float]]:
    """Tokens per second of each engine, in turn."""
    found: dict[Any, list[float]] = {name: [] for name in engines}
    for _ in range(num_rounds):
        for name, engine in engines.items():
            found[name].append(engine.block())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--arch", nargs="+", default=["transformer", "lstm"])
    parser.add_argument("--compile", nargs="+", default=["off", "default"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, os.cpu_count() or 1])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--params", default="2M")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--most", type=float, default=2.2)
    options, missed = parser.parse_args(), 0
    heading("engine", "workers", "precision", "alone: median (best)", "busy core", "slower by")
    for arch, mode in itertools.product(options.arch, options.compile):
        engines = {
            n: Timed(arch, options.params, compile=mode, workers=n, precision=options.precision)
            for n in options.workers
        }
        alone = rates(engines, options.rounds)
        with busy_core():
            busy = rates(engines, options.rounds)
        for n, timed in engines.items():
            usual, disturbed = statistics.median(alone[n]), statistics.median(busy[n])
            facts = timed.engine.metadata()
            name = f"{arch}, compile {mode if facts['compiled'] else 'off'}"
            cells = (f"{usual:,.0f} ({max(alone[n]):,.0f})", f"{disturbed:,.0f}")
            line(name, n, facts["precision"], *cells, f"{usual / disturbed:.2f}")
            missed += n > 1 and usual / disturbed > options.most
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
