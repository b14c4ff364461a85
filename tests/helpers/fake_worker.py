"""A worker of the autotuner that takes fake time, with candidates that do as they are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speedrun.autotune.worker import FirstSteps, Limits
from speedrun.protocols import ExecutionConfig
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
    """Engines that take fake time; `slowdown` is that of a busy machine."""

    def __init__(self, fake_time: Any, behaves: Callable[[ExecutionConfig], Candidate]) -> None:
        self.fake_time, self.behaves = fake_time, behaves
        self.slowdown: Callable[[], float] = lambda: 1.0
        self.startup_s, self.fits_rows = 2.0, 8
        self.is_up, self.num_starts = False, 0
        self.engines: dict[str, ExecutionConfig] = {}
        self.built: list[ExecutionConfig] = []
        self.timed: list[str] = []

    def start(self, timeout_s: float) -> None:
        self.is_up = True
        self.num_starts += 1
        self._spend(self.startup_s, timeout_s)

    def build(
        self, settings: ExecutionConfig, limits: Limits, *, may_shrink: bool = False
    ) -> FirstSteps:
        assert self.is_up and limits.total_s > 0
        self.built.append(settings)
        candidate = self.behaves(settings)
        if candidate.fails == "hang":
            self._spend(1e9, limits.total_s)
        if candidate.fails == "crash":
            self._end("killed by SIGSEGV")
        rows = settings.micro_batch_rows or 8
        if candidate.fails == "memory" or (rows > self.fits_rows and not may_shrink):
            raise ChildError("OutOfMemory: no room")
        step_s, left_s = candidate.step_s * self.slowdown(), limits.total_s - candidate.build_s
        metadata: dict[str, Any] = {"micro_batch_rows": min(rows, self.fits_rows)}
        if candidate.fails == "compiler":
            metadata |= {"compiled": False, "compile_error": "InvalidCxxCompiler: no g++ found"}
        self._spend(candidate.build_s, limits.total_s)
        losses: list[float] = []
        for loss, limit_s in zip(LOSSES, (limits.first_s, None, limits.step_s, None), strict=True):
            self._spend(step_s, left_s - step_s * len(losses))
            losses.append(loss * candidate.loss)
            if limit_s is not None and step_s > limit_s:
                break
        is_slow = len(losses) < len(LOSSES)
        if not is_slow:
            self.engines["rival"] = settings
        return FirstSteps(
            losses=losses, times_s=[step_s] * len(losses), is_slow=is_slow, metadata=metadata
        )

    def promote(self) -> None:
        self.engines["best"] = self.engines.pop("rival")

    def time(self, slot: str, num_steps: int, *, timeout_s: float) -> float:
        candidate = self.behaves(self.engines[slot])
        self.timed.append(slot)
        if candidate.fails == "crash later":
            self._end("killed by SIGABRT")
        step_s = candidate.step_s * self.slowdown()
        self._spend(num_steps * step_s, timeout_s)
        return step_s

    def close(self) -> None:
        self.is_up = False
        self.engines.clear()

    def _end(self, why: str) -> None:
        self.close()
        raise ChildEnded(why)

    def _spend(self, seconds: float, timeout_s: float) -> None:
        self.fake_time.advance(min(seconds, timeout_s))
        if seconds > timeout_s:
            self.close()
            raise ChildTimeout(f"no answer within {timeout_s:.3g} s")


FakeWorker: Any = _FakeWorker
