"""PyTorch on CUDA, Apple's MPS and the processor."""

from speedrun.backends.torch.backend import BACKEND

__all__ = ["BACKEND"]
