"""The PyTorch backend as the harness sees it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from speedrun.backends.torch import devices, tuning_space
from speedrun.backends.torch.engine import TorchEngine
from speedrun.config import Recipe
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Architecture, Device, Engine, EngineSpec, ExecutionConfig


class TorchBackend:
    """See `speedrun.protocols.Backend`."""

    def devices(self) -> Sequence[Device]:
        return devices.found()

    def engine(self, spec: EngineSpec) -> Engine:
        return TorchEngine(spec)

    def candidates(
        self, architecture: Architecture, recipe: Recipe, device: Device
    ) -> Mapping[str, Sequence[Any]]:
        return tuning_space.of(architecture, recipe, device)

    def prepare(self, device: Device, settings: ExecutionConfig) -> Mapping[str, Any]:
        return devices.prepare(device.name, settings)

    def join(self, device: Device, timeout_s: float) -> ProcessGroup:
        from speedrun.backends.torch.process_group import TorchTeam

        return TorchTeam(device, timeout_s)

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        return devices.matmul_gflops(device.name, precision)

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}


BACKEND = TorchBackend()
