"""The training step to be tuned, and the engines that are timed in a child process.

Whatever a candidate does to that process, it costs this candidate alone.
"""

import dataclasses
import gc
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from speedrun.autotune import synthetic_batch
from speedrun.backends import common, registry
from speedrun.config import Recipe, Run
from speedrun.device import Device, ExecutionConfig
from speedrun.models import loader
from speedrun.protocols import Architecture, Backend, Engine, EngineSpec
from speedrun.system import subprocesses
from speedrun.system.hardware import Machine

CHECK_STEPS = 4  # whose loss must be right; the first one also compiles
Slot = Literal["best", "rival"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The training step of a run on a device of this machine."""

    arch: str  # as requested, which may be a folder
    architecture: Architecture
    run: Run
    backend: Backend
    device: Device
    machine: Machine
    chosen: Collection[str] = ()  # keys of --set

    def arguments(self) -> dict[str, Any]:
        """The values that `Engines` is made of in the child process."""
        return {
            "arch": self.arch,
            "device": self.device.name,
            "model": dataclasses.asdict(self.run.model),  # type: ignore[call-overload]
            "recipe": dataclasses.asdict(self.run.recipe),
            "seed": self.run.seed,
        }


@dataclass(frozen=True, kw_only=True)
class FirstSteps:
    """Loss in nats and seconds of the first steps of an engine."""

    losses: Sequence[float]
    times_s: Sequence[float]
    is_slow: bool  # stopped early, slower than the limits; the engine is gone
    metadata: Mapping[str, Any]


class Engines:
    """Two engines of a target, the best so far and its rival; served to `autotune.search`."""

    def __init__(self, notice: Callable[[str], None], **target: Any) -> None:
        architecture = loader.architecture(target["arch"])
        device = registry.device(target["device"], architecture)
        self._backend = registry.backend(device.backend)
        self._spec = EngineSpec(
            architecture=architecture,
            config=architecture.Config(**target["model"]),
            recipe=Recipe(**target["recipe"]),
            device=device,
            seed=target["seed"],
        )
        self._rows = synthetic_batch.rows(self._spec.recipe.batch_rows, self._spec.config)
        self._engines: dict[str, tuple[Engine, ExecutionConfig]] = {}

    def build(
        self,
        settings: dict[str, Any],
        may_shrink: bool = False,
        first_s: float | None = None,
        step_s: float | None = None,
    ) -> dict[str, Any]:
        """Make the rival and take its first steps; `FirstSteps` as plain values.

        It may take smaller micro-batches if it `may_shrink`, and is given up where its first step
        takes longer than `first_s` or later ones longer than `step_s`.
        """
        self._engines.pop("rival", None)
        gc.collect()  # its memory is needed by the next one
        execution = ExecutionConfig(**settings)
        engine = self._backend.engine(dataclasses.replace(self._spec, execution=execution))
        losses: list[float] = []
        times_s: list[float] = []
        is_slow = False
        while len(losses) < CHECK_STEPS and not is_slow:
            started_s = time.perf_counter()
            if may_shrink:
                common.step_with_retry(engine, self._rows)
            else:
                engine.step(self._rows, 1.0)
            losses.append(engine.train_loss())
            engine.sync()
            times_s.append(time.perf_counter() - started_s)
            # The first step is judged alone; of the others two, as one may have been disturbed.
            is_slow = (first_s is not None and times_s[0] > first_s) or (
                step_s is not None and len(times_s) > 2 and min(times_s[1:]) > step_s
            )
        if not is_slow:
            self._engines["rival"] = engine, execution
        return dataclasses.asdict(
            FirstSteps(losses=losses, times_s=times_s, is_slow=is_slow, metadata=engine.metadata())
        )

    def promote(self) -> None:
        """Make the rival the best."""
        self._engines["best"] = self._engines.pop("rival")
        gc.collect()

    def time(self, slot: Slot, num_steps: int) -> float:
        """Seconds per step, over some steps."""
        engine, execution = self._engines[slot]
        self._backend.prepare(self._spec.device, execution)  # the other's may be set
        started_s = time.perf_counter()
        for _ in range(num_steps):
            engine.step(self._rows, 1.0)
        engine.sync()
        return (time.perf_counter() - started_s) / num_steps


if __name__ == "__main__":
    subprocesses.serve(Engines)
