"""The PyTorch backend as the harness sees it."""

from collections.abc import Sequence

import torch

from speedrun.backends.torch import devices
from speedrun.backends.torch.engine import TorchEngine
from speedrun.config import ModelConfig, Recipe
from speedrun.protocols import Architecture, Device, Engine
from speedrun.team import Team


class TorchBackend:
    """See `speedrun.protocols.Backend`."""

    def devices(self) -> Sequence[Device]:
        return devices.found()

    def engine(
        self,
        architecture: Architecture,
        config: ModelConfig,
        recipe: Recipe,
        seed: int,
        device: Device,
        team: Team | None = None,
    ) -> Engine:
        return TorchEngine(architecture, config, recipe, seed, device, team or Team())

    def join(self, device: Device, patience_s: float) -> Team:
        from speedrun.backends.torch.team import TorchTeam

        return TorchTeam(device, patience_s)

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        return devices.matmul_gflops(device.name, precision)

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}


BACKEND = TorchBackend()
