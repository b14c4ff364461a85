"""Every architecture on every backend that it is written for, at a size that trains in a second."""

import numpy as np
import pytest

from speedrun.backends import registry
from speedrun.config import Recipe
from speedrun.models import loader
from speedrun.protocols import EngineSpec

CONTEXT, VOCAB, ROWS = 16, 32, 4
# Parts that a model this small would do without.
SETTINGS = {
    "transformer": {"num_common": 8},
    "d3pm": {"num_common": 8},
    "lstm": {"num_common": 8, "depth": 2, "token_scales": 1},
}


def pairs(likelihood: str | None = None) -> list:
    """One case for each architecture and device; what cannot run is skipped in print.

    A pair is what is written: without its `<backend>_model.py` there is no case.
    """
    cases = []
    for device in registry.devices():
        for name in loader.architecture_names():
            architecture = loader.architecture(name)
            if device.backend not in architecture.backends():
                continue
            if likelihood not in (None, architecture.LIKELIHOOD):
                continue
            marks = []
            if not device.available:
                marks = [pytest.mark.skip(reason=f"{device.name}: {device.detail}")]
            if device.name == "mlx":  # slow where there is no GPU for it
                marks += [pytest.mark.mlx, pytest.mark.slow]
            cases.append(pytest.param((name, device), id=f"{name}-{device.name}", marks=marks))
    return cases


class Pair:
    """An architecture and a device, from which engines are made."""

    def __init__(self, name: str, device) -> None:
        self.name, self.device = name, device
        self.architecture = loader.architecture(name)
        self.config = self.architecture.for_params(
            20_000, VOCAB, context=CONTEXT, **SETTINGS.get(name, {})
        )

    @property
    def is_drawn(self) -> bool:
        """Whether it starts from weights drawn with the seed; a counted model starts at nothing."""
        return bool(self.architecture.initial(self.config, 0))

    def needs_drawn(self, why: str) -> None:
        """Skip what has no meaning for a counted model."""
        if not self.is_drawn:
            pytest.skip(f"{self.architecture.NAME} is counted: {why}")

    def engine(self, seed: int = 0, config=None, **recipe):
        chosen = Recipe(**{"compile": False, "precision": "fp32", "batch_rows": ROWS, **recipe})
        return registry.engine(
            EngineSpec(
                architecture=self.architecture,
                config=config or self.config,
                recipe=chosen,
                device=self.device,
                seed=seed,
            )
        )


@pytest.fixture(params=pairs())
def pair(request) -> Pair:
    return Pair(*request.param)


@pytest.fixture(params=pairs("exact"))
def exact_pair(request) -> Pair:
    return Pair(*request.param)


@pytest.fixture
def rows():
    """A batch with something to learn: each token is its predecessor plus one, mostly."""
    rng = np.random.default_rng(0)

    def draw(num_rows: int = ROWS):
        start = rng.integers(0, VOCAB, (num_rows, 1))
        rows = (start + np.arange(CONTEXT + 1)) % VOCAB
        noise = rng.random(rows.shape) < 0.1
        return np.where(noise, rng.integers(0, VOCAB, rows.shape), rows).astype(np.int32)

    return draw
