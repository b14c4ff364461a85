"""The NumPy backend."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from speedrun.backends import common
from speedrun.backends.numpy.engine import NumpyEngine
from speedrun.config import Recipe
from speedrun.device import Device, ExecutionConfig
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Architecture, Engine, EngineSpec
from speedrun.system import hardware


class NumpyBackend:
    """See `speedrun.protocols.Backend`."""

    def devices(self) -> Sequence[Device]:
        """The processor; `auto` takes it last, for models written for nothing else."""
        return [
            Device(
                name="numpy",
                backend="numpy",
                available=True,
                detail="the processor, for counted models",
                memory_bytes=hardware.memory_bytes(),
                precisions=("fp32",),
            )
        ]

    def engine(self, spec: EngineSpec) -> Engine:
        """A new engine."""
        return NumpyEngine(spec)

    def check(self, recipe: Recipe, device: Device) -> None:
        """Nothing: the architecture lists the fields that it reads."""

    def candidates(
        self, architecture: Architecture, recipe: Recipe, device: Device
    ) -> Mapping[str, Sequence[Any]]:
        """Execution execution worth timing, by field."""
        return {}  # one way to count

    def prepare(self, device: Device, execution: ExecutionConfig) -> Mapping[str, Any]:
        """Set what the whole process shares; facts for the record."""
        return {}

    def join(self, device: Device, timeout_s: float) -> ProcessGroup:
        """The group of the processes that a launcher started."""
        raise ValueError("counted models train in one process: start it without a launcher")

    def free_bytes(self, device: Device) -> int:
        """Memory that the device could still give to this process."""
        return hardware.free_memory_bytes()

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        """Measured rate of matrix products; None where the precision does not exist."""
        return _matmul_gflops() if precision == "fp32" else None

    def sustained_gflops(self, device: Device) -> Callable[[], float | None]:
        """A function that measures the usual rate of fp32 products for a while."""
        return common.sustained_gflops(_multiplier)

    def versions(self) -> dict[str, str]:
        """Version of the framework by name."""
        return {"numpy": np.__version__}


@cache
def _matmul_gflops() -> float:
    """In fp32; measured once a process."""
    return common.best_gflops(_multiplier)


def _multiplier(size: int) -> Callable[[], object]:
    a, b = np.random.default_rng(0).random((2, size, size), dtype=np.float32)
    return lambda: a @ b


BACKEND = NumpyBackend()
