"""A bench for settings that takes fake time and does what candidates are told to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speedrun.autotune.worker_client import Built, Failed, TimedOut
from speedrun.protocols import ExecutionConfig

LOSSES = (8.0, 7.5, 7.1, 6.8)


@dataclass(frozen=True)
class Candidate:
    """How settings behave."""

    step_s: float = 0.1
    build_s: float = 0.5  # besides its steps
    fails: str = ""  # "crash", "hang", "memory", "compiler", or when timed: "crash later"
    loss: float = 1.0  # times the right one


class FakeBench:
    """Engines that take fake time. A machine that grows busy slows all steps from then on."""

    def __init__(self, fake_time: Any, behaves: Callable[[ExecutionConfig], Candidate]) -> None:
        self.time_ = fake_time
        self.behaves = behaves
        self.startup_s = 2.0
        self.slowdown: Callable[[], float] = lambda: 1.0
        self.is_up = False
        self.engines: dict[str, ExecutionConfig] = {}
        self.built: list[ExecutionConfig] = []
        self.num_starts = 0
        self.fits_rows = 8

    def start(self, limit_s: float) -> None:
        self.is_up = True
        self.num_starts += 1
        self._spend(self.startup_s, limit_s)

    def build(
        self,
        name: str,
        settings: ExecutionConfig,
        *,
        limit_s: float,
        first_limit_s=None,
        step_limit_s=None,
        may_shrink: bool = False,
    ) -> Built:
        assert self.is_up and limit_s > 0
        self.built.append(settings)
        candidate = self.behaves(settings)
        if candidate.fails == "hang":
            self._spend(1e9, limit_s)
        if candidate.fails == "crash":
            self.close()
            raise Failed("killed by SIGSEGV")
        rows = settings.micro_batch_rows or 8
        if candidate.fails == "memory" or (rows > self.fits_rows and not may_shrink):
            raise Failed("OutOfMemory: no room")
        step_s = candidate.step_s * self.slowdown()
        times_s = []
        facts: dict[str, Any] = {"micro_batch_rows": min(rows, self.fits_rows)}
        if candidate.fails == "compiler":
            facts |= {"compiled": False, "compile_error": "InvalidCxxCompiler: no g++ found"}
        self._spend(candidate.build_s, limit_s)
        for number in range(len(LOSSES)):
            self._spend(step_s, limit_s - candidate.build_s - sum(times_s))
            times_s.append(step_s)
            limit = {0: first_limit_s, 2: step_limit_s}.get(number)
            if limit is not None and step_s > limit:
                losses = LOSSES[: number + 1]
                return Built(losses=losses, times_s=times_s, is_slow=True, facts=facts)
        self.engines[name] = settings
        losses = [loss * candidate.loss for loss in LOSSES]
        return Built(losses=losses, times_s=times_s, is_slow=False, facts=facts)

    def time(self, name: str, num_steps: int, *, limit_s: float) -> float:
        candidate = self.behaves(self.engines[name])
        if candidate.fails == "crash later":
            self.close()
            raise Failed("killed by SIGABRT")
        step_s = candidate.step_s * self.slowdown()
        self._spend(num_steps * step_s, limit_s)
        return step_s

    def drop(self, name: str) -> None:
        self.engines.pop(name, None)
        assert len(self.engines) <= 2, "two engines at a time, for the memory's sake"

    def close(self) -> None:
        self.is_up = False
        self.engines.clear()

    def _spend(self, seconds: float, limit_s: float) -> None:
        self.time_.advance(min(seconds, limit_s))
        if seconds > limit_s:
            self.close()
            raise TimedOut(f"did not end within {limit_s:.3g} s")
