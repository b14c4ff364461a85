"""Ten seconds of real training steps on this machine, to plan with their speed."""

import dataclasses
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from speedrun.autotune import synthetic_batch
from speedrun.backends import common, registry
from speedrun.device import Device
from speedrun.plan.request import PlanRequest
from speedrun.protocols import EngineSpec

PROBE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A measurement; rates in tokens/s and FLOP/s, memory in bytes."""

    how: str  # for a person
    tokens_per_s: float
    matmul_flop_s: float
    peak_bytes: int


def measure(
    request: PlanRequest, device: Device, now: Callable[[], float] = time.perf_counter
) -> Probe:
    """Train for `PROBE_S` on a synthetic batch; nothing is kept."""
    recipe = dataclasses.replace(
        request.recipe,
        batch_rows=request.batch_rows,
        micro_batch_rows=0,
        optimizer=request.optimizer,  # type: ignore[arg-type]
        precision=request.options.dtype or "auto",  # type: ignore[arg-type]
    )
    engine = registry.engine(
        EngineSpec(
            architecture=request.architecture, config=request.model, recipe=recipe, device=device
        )
    )
    rows = synthetic_batch.rows(recipe.batch_rows, request.model)
    num_steps, started_s, spent_s = -1, now(), 0.0  # the first step compiles and does not count
    while num_steps < 1 or spent_s < PROBE_S:
        common.step_with_retry(engine, rows)
        engine.sync()
        num_steps += 1
        if num_steps == 0:
            started_s = now()
        spent_s = now() - started_s
    metadata, peak_bytes = engine.metadata(), engine.peak_bytes()
    del engine
    gc.collect()
    precision = str(metadata.get("precision", "fp32"))
    gflops = registry.backend(device.backend).matmul_gflops(device, precision)
    return Probe(
        how=f"{num_steps} steps of {recipe.batch_rows} rows"
        f" ({metadata.get('micro_batch_rows', recipe.batch_rows)} at a time), {recipe.optimizer},"
        f" {precision} on {device.name}",
        tokens_per_s=num_steps * recipe.batch_rows * request.model.context / spent_s,
        matmul_flop_s=(gflops or 0.0) * 1e9,
        peak_bytes=peak_bytes,
    )
