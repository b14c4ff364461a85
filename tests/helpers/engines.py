"""Small engines of any architecture on any device, eager and in fp32 unless a test asks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from speedrun.backends import registry
from speedrun.config import Recipe
from speedrun.device import DEFAULT_EXECUTION, ExecutionConfig
from speedrun.models import loader
from speedrun.protocols import EngineSpec

VOCAB, CONTEXT = 32, 16


def small_engine(
    arch: str = "transformer",
    device: str = "cpu",
    *,
    model: Mapping[str, Any] | None = None,
    execution: ExecutionConfig = DEFAULT_EXECUTION,
    **recipe: Any,
) -> Any:
    """An engine of 20k parameters; `model` are fields of Config, the rest fields of Recipe."""
    architecture = loader.architecture(arch)
    config = architecture.for_params(20_000, VOCAB, **{"context": CONTEXT, **(model or {})})
    return registry.engine(
        EngineSpec(
            architecture=architecture,
            config=config,
            recipe=Recipe(**{"compile": False, "precision": "fp32", "batch_rows": 4, **recipe}),
            device=registry.device(device, architecture),
            execution=execution,
        )
    )


def random_rows(seed: int = 0, num_rows: int = 4) -> np.ndarray:
    """Rows of random ids that fit `small_engine`."""
    shape = (num_rows, CONTEXT + 1)
    return np.random.default_rng(seed).integers(0, VOCAB, shape, dtype=np.int32)
