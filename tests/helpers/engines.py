"""Small engines of any architecture on any device, eager and in fp32 unless a test asks."""

from collections.abc import Mapping
from pathlib import Path
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
    size: int = 20_000,
    **recipe: Any,
) -> Any:
    """An engine of 20k parameters; `model` are fields of Config, the rest fields of Recipe."""
    architecture = loader.architecture(arch)
    config = architecture.for_params(size, VOCAB, **{"context": CONTEXT, **(model or {})})
    return registry.engine(
        EngineSpec(
            architecture=architecture,
            config=config,
            recipe=Recipe(**{"compile": False, "precision": "fp32", "batch_rows": 4, **recipe}),
            device=registry.device(device, architecture),
            execution=execution,
        )
    )


def folder_engine(folder: Path, device: str = "cpu", seed: int = 3) -> Any:
    """An engine of the architecture in a folder, as small as `small_engine`."""
    architecture: Any = loader.architecture(str(folder))
    return registry.engine(
        EngineSpec(
            architecture=architecture,
            config=architecture.Config(vocab=VOCAB, context=CONTEXT),
            recipe=Recipe(compile=False, precision="fp32", batch_rows=4, lr=0.05),
            device=registry.device(device, architecture),
            seed=seed,
        )
    )


def random_rows(seed: int = 0, num_rows: int = 4) -> np.ndarray:
    """Rows of random ids that fit `small_engine`."""
    shape = (num_rows, CONTEXT + 1)
    return np.random.default_rng(seed).integers(0, VOCAB, shape, dtype=np.int32)


def losses_of(engine: Any, num_steps: int, lr_scale: float = 1.0) -> list[float]:
    """The loss of each of some steps on the same rows."""
    losses = []
    for _ in range(num_steps):
        engine.step(random_rows(), lr_scale)
        losses.append(engine.train_loss())
    return losses


def load_random(engine: Any, scale: float = 0.3) -> None:
    """Give an engine random weights: branches that start at zero would hide what differs."""
    rng = np.random.default_rng(5)
    engine.load({n: rng.normal(0, scale, w.shape) for n, w in engine.weights().items()})


def assert_same_weights(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """The same names, and for each exactly the same numbers."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
