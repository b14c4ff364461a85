"""MLX: Apple's GPUs, and slowly the processor elsewhere."""

from speedrun.backends.mlx.backend import BACKEND

__all__ = ["BACKEND"]
