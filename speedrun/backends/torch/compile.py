"""A model's method under `torch.compile`, checked in values and gradients."""

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speedrun.backends import checked_compile
from speedrun.backends.torch import cpp_kernels
from speedrun.system import hardware, paths

_CACHE_VARIABLE, _THREADS_VARIABLE = "TORCHINDUCTOR_CACHE_DIR", "TORCHINDUCTOR_COMPILE_THREADS"


class CheckedCompile(checked_compile.CheckedCompile):
    """See `speedrun.backends.checked_compile.CheckedCompile`."""

    def __init__(
        self,
        model: nn.Module,
        method: str,
        precision: str,
        facts: dict[str, Any],
        mode: str | None = None,
    ) -> None:
        super().__init__(getattr(model, method), precision, facts)
        self._model, self._mode = model, None if mode == "off" else mode
        if facts["compiled"] and (problem := _prepare_compiler()):
            facts["compile_cache"] = problem

    def _compile(self) -> Callable[..., Tensor]:
        cpp_kernels.install()  # imports what tries the C++ compiler, which may hang
        return torch.compile(self.eager, dynamic=False, mode=self._mode)

    def _difference(self, compiled: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> float:
        pairs = zip(
            self._values_and_grads(compiled, inputs),
            self._values_and_grads(self.eager, inputs),
            strict=True,
        )
        return max(float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in pairs)

    def _seconds(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> float:
        start_s = time.perf_counter()
        values, _ = self._values_and_grads(function, inputs)
        values.sum().item()  # waits for the device
        return time.perf_counter() - start_s

    def _values_and_grads(
        self, forward: Callable[..., Tensor], inputs: tuple[Tensor, ...]
    ) -> list[Tensor]:
        values = forward(*inputs).float()
        # Not a sum of squares: behind a norm that is constant, and its gradient rounding alone.
        weights = torch.linspace(-1, 1, values.numel(), device=values.device).view_as(values)
        (values * weights).sum().backward()
        params = self._model.parameters()
        found = [p.grad for p in params if p.grad is not None]
        plain = [grad.coalesce().values() if grad.is_sparse else grad for grad in found]
        grads = [grad.float().flatten() for grad in plain]
        self._model.zero_grad(set_to_none=True)
        return [values.detach(), torch.cat(grads)]

    def _reason(self, error: Exception) -> str:
        reason = super()._reason(error)
        if "No working C++ compiler" in reason:
            chosen = os.environ.get("CXX")
            return "no C++ compiler works here" + (f", and CXX is {chosen}" if chosen else "")
        return reason


@functools.cache
def _prepare_compiler() -> str | None:
    """Set cache and workers of the compiler; why it has a temporary cache, where it has one."""
    # By itself it starts a worker for every processor, whatever the quota.
    os.environ.setdefault(_THREADS_VARIABLE, str(hardware.usable_cores()))
    from torch._functorch import config as functorch
    from torch._inductor import config
    from torch._inductor.runtime import cache_dir_utils

    config.cpp_cache_precompile_headers = False  # takes longer than it saves on so few files
    # The graph of `embedding.Embedding` holds its autograd function: it is in the cache's key.
    functorch.autograd_cache_allow_custom_autograd_functions = True
    functorch.force_non_lazy_backward_lowering = True  # while the forward kernels are built
    usual = Path(cache_dir_utils.default_cache_dir())
    folder = Path(os.environ.get(_CACHE_VARIABLE) or usual)
    if (why := _unfit(folder)) is None:
        return None
    made = usual
    if _unfit(usual):
        made = paths.private_dir("speedrun-compiler-")
    if " " in str(made) and os.name == "posix":
        made = paths.private_dir("speedrun-compiler-", Path("/tmp"))
    os.environ[_CACHE_VARIABLE] = str(made)
    return (
        f"the compiler's cache {folder} does not serve ({why}): {made} is used, set"
        f" {_CACHE_VARIABLE} to another folder"
    )


def _unfit(folder: Path) -> str | None:
    """Reason that a folder cannot be the compiler's: its command lines are cut at spaces."""
    return "its path has a space" if " " in str(folder) else paths.not_writable(folder)
