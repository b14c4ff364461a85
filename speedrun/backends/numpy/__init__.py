"""NumPy on the processor, for models that are counted."""

from speedrun.backends.numpy.backend import BACKEND

__all__ = ["BACKEND"]
