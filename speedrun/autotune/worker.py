"""The child process: builds engines and times their steps as it is told.

An order is a line of JSON on standard input, its answer one on standard output. Nothing is
decided here, so that whatever a candidate does to this process costs that candidate alone.
"""

import gc
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TextIO

from speedrun.autotune import synthetic_batch
from speedrun.backends import common, registry
from speedrun.config import Recipe
from speedrun.models import loader
from speedrun.protocols import Engine, EngineSpec, ExecutionConfig
from speedrun.system import subprocesses

CHECK_STEPS = 4  # whose loss must be right; the first one also compiles


class Worker:
    """Engines of one race under different settings, by name."""

    def __init__(self, subject: dict[str, Any]) -> None:
        self._architecture = loader.architecture(subject["arch"])
        self._device = registry.device(subject["device"], self._architecture)
        self._backend = registry.backend(self._device.backend)
        self._model = self._architecture.Config(**subject["model"])
        self._recipe = Recipe(**subject["recipe"])
        self._seed = subject["seed"]
        self._rows = synthetic_batch.rows(self._recipe.batch_rows, self._model)
        self._engines: dict[str, tuple[Engine, ExecutionConfig]] = {}

    def build(self, order: dict[str, Any]) -> dict[str, Any]:
        """Make an engine and take its first steps: their losses, seconds, and what it made of it.

        They end early where they are slower than asked for.
        """
        self.drop(order)
        settings = ExecutionConfig(**order["settings"])
        engine = self._backend.engine(
            EngineSpec(
                architecture=self._architecture,
                config=self._model,
                recipe=self._recipe,
                device=self._device,
                seed=self._seed,
                execution=settings,
            )
        )
        losses, times_s, is_slow = [], [], False
        while len(losses) < CHECK_STEPS and not is_slow:
            before_s = time.perf_counter()
            self._step(engine, may_shrink=order["may_shrink"])
            losses.append(engine.train_loss())
            engine.sync()
            times_s.append(time.perf_counter() - before_s)
            is_slow = _is_slow(times_s, order["first_limit_s"], order["step_limit_s"])
        if not is_slow:
            self._engines[order["name"]] = engine, settings
        return {
            "losses": losses,
            "times_s": times_s,
            "is_slow": is_slow,
            "facts": engine.metadata(),
        }

    def time(self, order: dict[str, Any]) -> dict[str, Any]:
        """Seconds of a step, over some steps."""
        engine, settings = self._engines[order["name"]]
        self._backend.prepare(self._device, settings)  # another candidate's may be set
        before_s = time.perf_counter()
        for _ in range(order["num_steps"]):
            engine.step(self._rows, 1.0)
        engine.sync()
        return {"step_s": (time.perf_counter() - before_s) / order["num_steps"]}

    def drop(self, order: dict[str, Any]) -> dict[str, Any]:
        self._engines.pop(order["name"], None)
        gc.collect()  # its memory is the next one's
        return {}

    def _step(self, engine: Engine, *, may_shrink: bool) -> None:
        if may_shrink:
            common.step_with_retry(engine, self._rows)
        else:
            engine.step(self._rows, 1.0)


def _is_slow(times_s: list[float], first_limit_s: float | None, step_limit_s: float | None) -> bool:
    """The first step by itself; of the others two, since one may have met something else."""
    if first_limit_s is not None and times_s[0] > first_limit_s:
        return True
    return step_limit_s is not None and len(times_s) > 2 and min(times_s[1:]) > step_limit_s


def main() -> None:
    """Answer orders until standard input ends, which is when whoever gave them is gone."""
    answers = _answers()
    orders = _orders()
    try:
        worker = Worker(next(orders))
    except Exception as error:  # of an architecture, a framework, a driver
        _say(answers, {"failed": _in_one_line(error)})
        return
    _say(answers, {})
    for order in orders:
        try:
            answer = getattr(worker, order["do"])(order)
        except Exception as error:  # frameworks' errors have no common class
            answer = {"failed": _in_one_line(error)}
        _say(answers, answer)


def _answers() -> TextIO:
    """Standard output for the answers alone: what compilers and models print goes elsewhere."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _orders() -> Iterator[dict[str, Any]]:
    """Read beside the work, so that the end of the one who orders is noticed in the midst of it."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        with os.fdopen(sys.stdin.fileno(), closefd=False, encoding="utf-8") as given:
            for line in given:
                lines.put(line)
        subprocesses.end_with_all()

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def _in_one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:200] if lines else type(error).__name__


def subject(arch: str, device: str, model: Any, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What a worker's first line says: whose steps are timed."""
    return {
        "arch": arch,
        "device": device,
        "model": asdict(model),
        "recipe": asdict(recipe),
        "seed": seed,
    }


if __name__ == "__main__":
    main()
