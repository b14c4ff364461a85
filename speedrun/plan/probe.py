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
from speedrun.protocols import Engine, EngineSpec, Rows

PROBE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A measurement; rates in tokens/s and FLOP/s, memory in bytes."""

    device: str
    precision: str
    optimizer: str
    batch_rows: int
    micro_batch_rows: int
    num_steps: int
    tokens_per_s: float
    matmul_flop_s: float
    peak_bytes: int


def measure(
    request: PlanRequest,
    device: Device,
    *,
    seconds: float = PROBE_S,
    now: Callable[[], float] = time.perf_counter,
) -> Probe:
    """Train for some seconds on a synthetic batch; nothing is kept."""
    recipe = dataclasses.replace(
        request.recipe,
        batch_rows=request.batch_rows,
        micro_batch_rows=0,
        optimizer=request.optimizer,  # type: ignore[arg-type]
        precision=request.options.dtype or "auto",  # type: ignore[arg-type]
    )
    spec = EngineSpec(
        architecture=request.architecture, config=request.model, recipe=recipe, device=device
    )
    engine = registry.engine(spec)
    rows = synthetic_batch.rows(recipe.batch_rows, request.model)
    _step(engine, rows)  # compiles, and is not counted
    num_steps, started_s = 0, now()
    while (spent_s := now() - started_s) < seconds or num_steps == 0:
        _step(engine, rows)
        num_steps += 1
    metadata, peak_bytes = engine.metadata(), engine.peak_bytes()
    del engine
    gc.collect()
    precision = str(metadata.get("precision", "fp32"))
    gflops = registry.backend(device.backend).matmul_gflops(device, precision)
    return Probe(
        device=device.name,
        precision=precision,
        optimizer=recipe.optimizer,
        batch_rows=recipe.batch_rows,
        micro_batch_rows=metadata.get("micro_batch_rows", recipe.batch_rows),
        num_steps=num_steps,
        tokens_per_s=num_steps * recipe.batch_rows * request.model.context / spent_s,
        matmul_flop_s=(gflops or 0.0) * 1e9,
        peak_bytes=peak_bytes,
    )


def _step(engine: Engine, rows: Rows) -> None:
    common.step_with_retry(engine, rows)
    engine.sync()
