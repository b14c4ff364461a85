"""The fastest of several devices that share one accelerator, by a few training steps on each."""

import gc
import time
from collections.abc import Callable, Sequence

from speedrun.autotune import synthetic_batch
from speedrun.backends import common, registry
from speedrun.config import Run
from speedrun.device import Device
from speedrun.protocols import Architecture, EngineSpec

NUM_STEPS = 3  # timed, after one that compiles

Times = dict[str, float | str]  # seconds per step by device, or why there are none


def candidates(device: Device, architecture: Architecture) -> list[Device]:
    """`device` first, then the devices that drive its accelerator with another framework."""
    if device.shared is None:
        return [device]
    written = architecture.backends()
    same = [d for d in registry.devices() if d.available and d.shared == device.shared]
    others = [d for d in same if d.name != device.name and d.backend in written]
    return [device, *others]


def fastest(
    devices: Sequence[Device],
    architecture: Architecture,
    run: Run,
    now: Callable[[], float] = time.perf_counter,
) -> tuple[Device, Times]:
    """The device whose training step takes the least time, and the times of all.

    A device that fails is skipped; where all fail the first error is raised.
    """
    times: Times = {}
    errors: list[Exception] = []
    for device in devices:
        try:
            times[device.name] = round(_step_s(device, architecture, run, now), 6)
        except (RuntimeError, MemoryError, ValueError) as error:
            errors.append(error)
            times[device.name] = f"{type(error).__name__}: {error}"[:200]
    measured = {name: step_s for name, step_s in times.items() if isinstance(step_s, float)}
    if not measured:
        raise errors[0]
    name = min(measured, key=measured.__getitem__)
    return next(device for device in devices if device.name == name), times


def _step_s(
    device: Device, architecture: Architecture, run: Run, now: Callable[[], float]
) -> float:
    """Seconds of the fastest of a few steps on a synthetic batch."""
    spec = EngineSpec(
        architecture=architecture, config=run.model, recipe=run.recipe, device=device, seed=run.seed
    )
    engine = registry.engine(spec)
    rows = synthetic_batch.rows(run.recipe.batch_rows, run.model)
    times_s: list[float] = []
    while len(times_s) <= NUM_STEPS:
        started_s = now()
        if common.step_with_retry(engine, rows):
            times_s.clear()
            continue
        engine.sync()
        times_s.append(now() - started_s)
    del engine  # its memory is needed by the next one
    gc.collect()
    return min(times_s[1:])
