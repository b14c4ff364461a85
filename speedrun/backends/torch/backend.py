"""The PyTorch backend."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from speedrun.backends.torch import devices, eight_bit, tuning_space
from speedrun.backends.torch.engine import TorchEngine
from speedrun.config import Recipe
from speedrun.device import Device, ExecutionConfig
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Architecture, Engine, EngineSpec


class TorchBackend:
    """See `speedrun.protocols.Backend`."""

    def devices(self) -> Sequence[Device]:
        """Devices that this framework drives, available or not."""
        return devices.found()

    def engine(self, spec: EngineSpec) -> Engine:
        """A new engine."""
        return TorchEngine(spec)

    def check(self, recipe: Recipe, device: Device) -> None:
        """Raise ValueError where the optimizer is not installed or does not run on the device."""
        if recipe.optimizer == "adamw8bit":
            eight_bit.expect_works(device.name)

    def candidates(
        self, architecture: Architecture, recipe: Recipe, device: Device
    ) -> Mapping[str, Sequence[Any]]:
        """Execution execution worth timing, by field."""
        return tuning_space.of(architecture, recipe, device)

    def prepare(self, device: Device, execution: ExecutionConfig) -> Mapping[str, Any]:
        """Set what the whole process shares; facts for the record."""
        return devices.prepare(device.name, execution)

    def join(self, device: Device, timeout_s: float) -> ProcessGroup:
        """The group of the processes that a launcher started."""
        from speedrun.backends.torch.process_group import TorchProcessGroup

        return TorchProcessGroup(device, timeout_s)

    def free_bytes(self, device: Device) -> int:
        """Memory that the device could still give to this process."""
        return devices.row(device.name).free_bytes()

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        """Measured rate of matrix products; None where the precision does not exist."""
        return devices.matmul_gflops(device.name, precision)

    def sustained_gflops(self, device: Device) -> Callable[[], float | None]:
        """A function that measures the usual rate of fp32 products for a while."""
        return devices.sustained_gflops(device.name)

    def versions(self) -> dict[str, str]:
        """Version of the framework by name, and of the 8-bit optimizer where it is in use."""
        found = {"torch": str(torch.__version__)}
        if (library := sys.modules.get(eight_bit.LIBRARY)) is not None:
            found[eight_bit.LIBRARY] = library.__version__
        return found


BACKEND = TorchBackend()
