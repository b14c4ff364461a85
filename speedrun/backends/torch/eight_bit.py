"""AdamW with moments of 8 bits (Dettmers et al. 2022), by bitsandbytes: an optional package.

Moments of 256 numbers share a scale; parameters of fewer than 4,096 numbers keep fp32 moments.
"""

import functools
import importlib.util
from typing import Any

import torch

LIBRARY, EXTRA = "bitsandbytes", "adamw8bit"
_SMALLEST = 4096  # numbers of a parameter whose moments have 8 bits
_SETTING = "recipe.optimizer=adamw8bit"


def adamw() -> type[Any]:
    """The optimizer class; ValueError where it is not installed."""
    try:
        return importlib.import_module(LIBRARY).optim.AdamW8bit
    except ImportError as error:
        if importlib.util.find_spec(LIBRARY) is not None:  # there, and does not load
            raise ValueError(f"{_SETTING}: {LIBRARY} does not load ({_line(error)})") from None
        raise ValueError(
            f"{_SETTING}: {LIBRARY} is not installed here; install it with:"
            f" pip install -e '.[{EXTRA}]'"
        ) from None


@functools.cache
def expect_works(device: str) -> None:
    """Take a step on this device; ValueError where it fails or changes nothing."""
    make = adamw()
    param = torch.zeros(_SMALLEST, device=device, requires_grad=True)
    param.grad = torch.ones_like(param)
    try:
        make([param], lr=1.0).step()
        is_right = bool((param + 1).abs().max() < 0.01)  # the first step goes by the rate
    except Exception as error:  # kernels that are missing raise half a dozen kinds
        why = _line(error)
    else:
        why = None if is_right else "its step is wrong"
    if why is not None:
        raise ValueError(
            f"{_SETTING}: {LIBRARY} does not work on {device} ({why}); take recipe.optimizer=adamw"
        )


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
