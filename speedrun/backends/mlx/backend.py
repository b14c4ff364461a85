"""The MLX backend. MLX itself is imported only where it is used."""

import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from speedrun.backends import common
from speedrun.config import Recipe
from speedrun.device import Device, ExecutionConfig
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Architecture, Engine, EngineSpec


class MlxBackend:
    """See `speedrun.protocols.Backend`."""

    def devices(self) -> Sequence[Device]:
        """Devices that this framework drives, available or not."""
        if importlib.util.find_spec("mlx") is None:
            return [_missing(f"MLX is not installed: {_how_to_install()}")]
        try:
            from speedrun.backends.mlx import devices
        except ImportError as error:  # of MLX's library: it is there and does not load
            reason = str(error).splitlines()[0]
            return [_missing(f"MLX does not load ({reason}): {_how_to_install()}")]
        return [devices.found()]

    def engine(self, spec: EngineSpec) -> Engine:
        """A new engine."""
        from speedrun.backends.mlx.engine import MlxEngine

        self.check(spec.recipe, spec.device)
        return MlxEngine(spec)

    def check(self, recipe: Recipe, device: Device) -> None:
        """Raise ValueError for what saves memory under PyTorch alone.

        With `mx.checkpoint` around its blocks a transformer took more memory, not less.
        """
        if recipe.optimizer == "adamw8bit":
            raise ValueError(
                "recipe.optimizer=adamw8bit: MLX has no optimizer with 8-bit moments;"
                " leave it out, or take PyTorch with --device cpu"
            )
        if recipe.activation_checkpointing:
            raise ValueError(
                "recipe.activation_checkpointing=true: not for MLX, where it saves no memory;"
                " leave it out, or take PyTorch with --device cpu or mps"
            )

    def candidates(
        self, architecture: Architecture, recipe: Recipe, device: Device
    ) -> Mapping[str, Sequence[Any]]:
        """Execution execution worth timing, by field."""
        return {
            "precision": device.precisions,
            "compile": ("off", "default"),
            "micro_batch_rows": common.halves(recipe.batch_rows),
        }

    def prepare(self, device: Device, execution: ExecutionConfig) -> Mapping[str, Any]:
        """Set what the whole process shares; facts for the record."""
        from speedrun.backends.mlx import devices

        return devices.prepare()

    def join(self, device: Device, timeout_s: float) -> ProcessGroup:
        """The group of the processes that a launcher started."""
        from speedrun.backends.mlx.process_group import MlxProcessGroup

        return MlxProcessGroup()  # no timeout: mlx.launch ends the others when one ends

    def free_bytes(self, device: Device) -> int:
        """Memory that the device could still give to this process."""
        from speedrun.backends.mlx import devices

        return devices.free_bytes()

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        """Measured rate of matrix products; None where the precision does not exist."""
        from speedrun.backends.mlx import devices

        return devices.matmul_gflops(precision)

    def sustained_gflops(self, device: Device) -> Callable[[], float | None]:
        """A function that measures the usual rate of fp32 products for a while."""
        from speedrun.backends.mlx import devices

        return devices.sustained_gflops()

    def versions(self) -> dict[str, str]:
        """Version of the framework by name."""
        try:
            return {"mlx": importlib.metadata.version("mlx")}
        except importlib.metadata.PackageNotFoundError:
            return {}


def _missing(why: str) -> Device:
    return Device(name="mlx", backend="mlx", available=False, detail=why)


def _how_to_install() -> str:
    on_apple_silicon = platform.system() == "Darwin" and platform.machine() == "arm64"
    return "pip install mlx" if on_apple_silicon else 'pip install "mlx[cpu]"'


BACKEND = MlxBackend()
