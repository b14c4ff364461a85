"""A worker of the autotuner that takes fake time, with candidates that do as they are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speedrun.device import ExecutionConfig
from speedrun.system.subprocesses import ChildEnded, ChildError, ChildTimeout

LOSSES = (8.0, 7.5, 7.1, 6.8)


@dataclass(frozen=True)
class Candidate:
    """The behaviour of some settings."""

    step_s: float = 0.1
    build_s: float = 0.5  # besides its steps
    fails: str = ""  # "crash", "hang", "memory", "compiler", or when timed: "crash later"
    loss: float = 1.0  # times the right one


class _FakeWorker:
    """Starts children whose engines take fake time; `slowdown` is that of a busy machine."""

    def __init__(self, fake_time: Any, behaves: Callable[[ExecutionConfig], Candidate]) -> None:
        self.fake_time, self.behaves = fake_time, behaves
        self.slowdown: Callable[[], float] = lambda: 1.0
        self.startup_s, self.fits_rows, self.num_starts = 2.0, 8, 0
        self.is_up = False
        self.engines: dict[str, ExecutionConfig] = {}
        self.built: list[ExecutionConfig] = []
        self.timed: list[str] = []

    def __call__(self) -> "_FakeWorker":
        """A new child process."""
        assert not self.is_up, "one at a time"
        self.is_up = True
        self.num_starts += 1
        return self

    def call(self, kind: str, *, timeout_s: float, **values: Any) -> Any:
        assert self.is_up and timeout_s >= 0
        self.deadline_s = self.fake_time() + timeout_s
        self.timeout_s = timeout_s
        return getattr(self, kind)(**values)

    def kill(self) -> None:
        self.is_up = False
        self.engines.clear()

    def start(self, **target: Any) -> None:
        self._spend(self.startup_s)

    def build(
        self, settings: dict[str, Any], may_shrink: bool = False, first_s=None, step_s=None
    ) -> dict[str, Any]:
        execution = ExecutionConfig(**settings)
        self.built.append(execution)
        candidate = self.behaves(execution)
        if candidate.fails == "hang":
            self._spend(1e9)
        if candidate.fails == "crash":
            self._end("killed by SIGSEGV")
        rows = execution.micro_batch_rows or 8
        if candidate.fails == "memory" or (rows > self.fits_rows and not may_shrink):
            raise ChildError("OutOfMemory: no room")
        taken_s = candidate.step_s * self.slowdown()
        metadata: dict[str, Any] = {"micro_batch_rows": min(rows, self.fits_rows)}
        if candidate.fails == "compiler":
            metadata |= {"compiled": False, "compile_error": "no g++ found"}
        self._spend(candidate.build_s)
        losses: list[float] = []
        for loss, limit_s in zip(LOSSES, (first_s, None, step_s, None), strict=True):
            self._spend(taken_s)
            losses.append(loss * candidate.loss)
            if limit_s is not None and taken_s > limit_s:
                break
        is_slow = len(losses) < len(LOSSES)
        if not is_slow:
            self.engines["rival"] = execution
        times_s = [taken_s] * len(losses)
        return {"losses": losses, "times_s": times_s, "is_slow": is_slow, "metadata": metadata}

    def promote(self) -> None:
        self.engines["best"] = self.engines.pop("rival")

    def time(self, slot: str, num_steps: int) -> float:
        candidate = self.behaves(self.engines[slot])
        self.timed.append(slot)
        if candidate.fails == "crash later":
            self._end("killed by SIGABRT")
        step_s = candidate.step_s * self.slowdown()
        self._spend(num_steps * step_s)
        return step_s

    def _end(self, why: str) -> None:
        self.kill()
        raise ChildEnded(why)

    def _spend(self, seconds: float) -> None:
        left_s = self.deadline_s - self.fake_time()
        self.fake_time.advance(min(seconds, left_s))
        if seconds > left_s:
            self.kill()
            raise ChildTimeout(f"no answer within {self.timeout_s:.3g} s")


FakeWorker: Any = _FakeWorker
