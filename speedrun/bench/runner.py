"""Measuring all variants in turn, so that a minute in which the machine is slow meets them all."""

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from speedrun import text as text_
from speedrun.bench import workload
from speedrun.bench.cases import Variant
from speedrun.bench.load import Watch
from speedrun.bench.result import SCHEMA, Bench
from speedrun.bench.worker import Worker, WorkerFailed
from speedrun.data import heldout as splits
from speedrun.data import open
from speedrun.system import hardware
from speedrun.training import record

DEFAULT_REPEATS = 5
FEW_REPEATS, SLOW_S = 3, 3.0  # without --repeats: of what takes longer than this
MIN_REPEATS = 3  # of a bench by --minutes
# Scoring and sampling come before training: their weights must be the same at every repeat.
_KINDS = ("score", "sample", "train")

Say = Callable[[str], None]


def measure(
    variants: Sequence[Variant],
    *,
    repeats: int | None,
    budget_s: float | None,
    with_profile: bool,
    phase: Say,
    notice: Say,
    worker: Callable[[Variant, Path, Say], Any] = Worker,
) -> Bench:
    """Measure every variant so many times, or for so long; one that fails is left behind.

    Raises ValueError where none can be measured.
    """
    watch = Watch()
    failed: list[dict[str, str]] = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speedrun-bench-")))
        running = _Running(variants, scratch, stack, failed, worker, phase, _once(notice))
        watch.start(running.pids())
        done = _rounds(running, repeats, budget_s, phase)
        load = watch.found()
        if with_profile:
            phase("taking training steps apart")
            running.each("profile", is_vital=False)
        rows = running.each("row")
    if not rows:
        raise ValueError(f"nothing could be measured: {failed[0]['variant']}: {failed[0]['error']}")
    return Bench.model_validate(
        {
            "schema": SCHEMA,
            **_origin(),
            **_machine(),
            "data": _data(variants[0]),
            "settings": {
                "repeats": done,
                "burst_s": workload.BURST_S,
                "num_docs": workload.NUM_DOCS,
                "story_tokens": workload.STORY_TOKENS,
            },
            "load": load,
            "rows": rows,
            "failed": failed,
        }
    )


class _Running:
    """The variants that can still be measured, each in its process."""

    def __init__(
        self,
        variants: Sequence[Variant],
        scratch: Path,
        stack: contextlib.ExitStack,
        failed: list[dict[str, str]],
        worker: Callable[[Variant, Path, Say], Any],
        phase: Say,
        notice: Say,
    ) -> None:
        self._failed = failed
        self._workers: list[Any] = []
        self._taken_s: dict[tuple[int, str], float] = {}  # by the last call of a method
        for number, variant in enumerate(variants):
            phase(f"building {variant.name} ({number + 1} of {len(variants)})")
            with self._noting(variant):
                made = worker(variant, scratch / str(number), notice)
                stack.callback(made.close)
                made.call("prepare")
                self._workers.append(made)

    def pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    def each(self, method: str, *, is_vital: bool = True, longest_s: float = math.inf) -> list[Any]:
        """Call a method of all in turn; who fails in what is vital is out.

        Left in peace are those for which the method took longer than `longest_s` before.
        """
        answers = []
        for worker in list(self._workers):
            key = (id(worker), method)
            if self._taken_s.get(key, 0.0) > longest_s:
                continue
            with self._noting(worker.variant, worker if is_vital else None):
                since_s = time.monotonic()
                answers.append(worker.call(method))
                self._taken_s[key] = time.monotonic() - since_s
        return answers

    @contextlib.contextmanager
    def _noting(self, variant: Variant, worker: Any = None) -> Iterator[None]:
        try:
            yield
        except WorkerFailed as error:
            self._failed.append({"variant": variant.name, "error": str(error)})
            if worker is not None:
                self._workers.remove(worker)


def _rounds(
    running: _Running,
    repeats: int | None,
    budget_s: float | None,
    phase: Say,
    now: Callable[[], float] = time.monotonic,
) -> int:
    """Take rounds of each measurement; return the fewest that any was given."""
    taken = []
    for kind in _KINDS:
        since_s, num_rounds = now(), 0
        while running.pids() and not _is_enough(num_rounds, now() - since_s, repeats, budget_s):
            of_all = "" if budget_s else f" of {repeats or DEFAULT_REPEATS}"
            phase(f"{_WORDS[kind]}: repeat {num_rounds + 1}{of_all}")
            is_patient = repeats is not None or num_rounds < FEW_REPEATS
            running.each(kind, longest_s=math.inf if is_patient else SLOW_S)
            num_rounds += 1
        taken.append(num_rounds)
    return min(taken)


_WORDS = {"train": "training", "score": "scoring", "sample": "telling stories"}


def _is_enough(
    num_rounds: int, spent_s: float, repeats: int | None, budget_s: float | None
) -> bool:
    if budget_s is None:
        return num_rounds >= (repeats or DEFAULT_REPEATS)
    # A third of the time for each measurement; no round is begun that would not fit.
    a_round_s = spent_s / max(1, num_rounds)
    return num_rounds >= MIN_REPEATS and spent_s + a_round_s > budget_s / len(_KINDS)


def _once(notice: Say) -> Say:
    """Every process says the same about the data; it is heard once."""
    heard: set[str] = set()

    def say(text: str) -> None:
        if text not in heard:
            heard.add(text)
            notice(text)

    return say


def _origin() -> dict[str, Any]:
    origin = record.origin()
    return {"created": origin["created"], "code": origin["code"]}


def _machine() -> dict[str, Any]:
    machine = hardware.machine()
    return {"cpu": machine.cpu, "cores": machine.cores}


def _data(variant: Variant) -> dict[str, str]:
    request = variant.request.data
    source = open.open_source(request.path, lambda text: None)
    heldout = splits.pin(source, request.eval_docs)
    return {
        "name": source.name,
        "train_fingerprint": source.train_fingerprint,
        "heldout_fingerprint": heldout.fingerprint,
    }


def parse_repeats(repeats: int | None, minutes: str | None) -> tuple[int | None, float | None]:
    """How often, or for how many seconds; raises ValueError for both and for what cannot be."""
    if repeats is not None and minutes is not None:
        raise ValueError("--repeats and --minutes contradict each other: give one of them")
    if minutes is not None:
        return None, text_.parse_minutes(minutes)
    if repeats is not None and not 1 <= repeats <= 1000:
        raise ValueError(f"--repeats {repeats}: allowed are 1 to 1000")
    return repeats, None
