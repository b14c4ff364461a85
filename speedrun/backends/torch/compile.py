"""A model's method under `torch.compile`, checked in values and gradients."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from speedrun.backends import checked_compile


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

    def _compile(self) -> Callable[..., Tensor]:
        return torch.compile(self.eager, dynamic=False, mode=self._mode)

    def _difference(self, compiled: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> float:
        pairs = zip(
            self._values_and_grads(compiled, inputs),
            self._values_and_grads(self.eager, inputs),
            strict=True,
        )
        return max(float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in pairs)

    def _values_and_grads(
        self, forward: Callable[..., Tensor], inputs: tuple[Tensor, ...]
    ) -> list[Tensor]:
        values = forward(*inputs).float()
        # Not a sum of squares: behind a norm that is constant, and its gradient rounding alone.
        weights = torch.linspace(-1, 1, values.numel(), device=values.device).view_as(values)
        (values * weights).sum().backward()
        params = self._model.parameters()
        grads = [p.grad.float().flatten() for p in params if p.grad is not None]
        self._model.zero_grad(set_to_none=True)
        return [values.detach(), torch.cat(grads)]
