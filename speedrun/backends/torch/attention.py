"""Which kernel computes attention: PyTorch's own choice, or one by name."""

import contextlib

from torch.nn.attention import SDPBackend, sdpa_kernel

_KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
AUTO = "auto"
# Beside PyTorch's own choice.
BY_DEVICE = {"cuda": ("flash", "cudnn", "efficient"), "mps": ("math",), "cpu": ("math",)}


def kernel(name: str | None) -> contextlib.AbstractContextManager[object]:
    """Inside it attention takes this kernel; RuntimeError there where it cannot."""
    if name in (None, AUTO):
        return contextlib.nullcontext()
    return sdpa_kernel(_KERNELS[name])
