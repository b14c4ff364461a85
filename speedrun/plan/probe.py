"""Ten seconds of real training steps on this machine: what a plan is worth here."""

import dataclasses
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from speedrun.autotune import synthetic_batch
from speedrun.backends import common, registry
from speedrun.config import ModelConfig, Recipe
from speedrun.protocols import Architecture, Device, Engine, EngineSpec, Rows

PROBE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was measured; rates in tokens/s and FLOP/s, memory in bytes."""

    device: str
    precision: str
    optimizer: str
    batch_rows: int
    micro_batch_rows: int
    num_steps: int
    first_step_s: float  # compiles, and is not counted
    tokens_per_s: float
    matmul_flop_s: float
    peak_bytes: int


def measure(
    architecture: Architecture,
    model: ModelConfig,
    recipe: Recipe,
    device: Device,
    *,
    seconds: float = PROBE_S,
    now: Callable[[], float] = time.perf_counter,
) -> Probe:
    """Train for some seconds on rows that cost what text costs; nothing is kept."""
    backend = registry.backend(device.backend)
    engine = backend.engine(
        EngineSpec(architecture=architecture, config=model, recipe=recipe, device=device)
    )
    rows = synthetic_batch.rows(recipe.batch_rows, model)
    first_step_s = _step_s(engine, rows, now)
    num_steps, started_s = 0, now()
    while (spent_s := now() - started_s) < seconds or num_steps == 0:
        _step_s(engine, rows, now)
        num_steps += 1
    facts = engine.metadata()
    precision = str(facts.get("precision", "fp32"))
    probe = Probe(
        device=device.name,
        precision=precision,
        optimizer=recipe.optimizer,
        batch_rows=recipe.batch_rows,
        micro_batch_rows=facts.get("micro_batch_rows", recipe.batch_rows),
        num_steps=num_steps,
        first_step_s=first_step_s,
        tokens_per_s=num_steps * recipe.batch_rows * model.context / spent_s,
        matmul_flop_s=(backend.matmul_gflops(device, precision) or 0.0) * 1e9,
        peak_bytes=engine.peak_bytes(),
    )
    del engine
    gc.collect()
    return probe


def recipe_of(recipe: Recipe, batch_rows: int, optimizer: str, dtype: str | None) -> Recipe:
    """The architecture's recipe with what the plan was asked for."""
    return dataclasses.replace(
        recipe,
        batch_rows=batch_rows,
        micro_batch_rows=0,
        optimizer=optimizer,  # type: ignore[arg-type]
        precision=dtype or "auto",  # type: ignore[arg-type]
    )


def _step_s(engine: Engine, rows: Rows, now: Callable[[], float]) -> float:
    """Seconds of one step, in smaller pieces if the memory does not hold it."""
    while True:
        started_s = now()
        retries = common.step_with_retry(engine, rows)
        engine.sync()
        if not retries:
            return now() - started_s
