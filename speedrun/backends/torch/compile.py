"""A model's method, compiled if that works here and is right; else as it was written."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from speedrun.backends.torch import devices

# Relative difference in norm that another order of rounding explains.
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 5e-2}


class CheckedCompile:
    """Calls `method`; compiled at the first call, if it then agrees in values and gradients.

    Compilers for some devices are young: one that fails, or is wrong, must not end a race.
    What was found is written into `facts`.
    """

    def __init__(
        self,
        model: nn.Module,
        method: str,
        precision: str,
        facts: dict[str, Any],
        mode: str | None = None,
    ) -> None:
        self._model, self.eager = model, getattr(model, method)
        self._tolerance = _TOLERANCE[precision]
        self._facts, self._mode = facts, None if mode == "off" else mode
        self._chosen: Callable[..., Tensor] | None = None if facts["compiled"] else self.eager

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self._chosen is None:
            self._chosen = self._prove(inputs)
        return self._chosen(*inputs)

    def _prove(self, inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        try:
            compiled = torch.compile(self.eager, dynamic=False, mode=self._mode)
            off = max(
                _relative_difference(a, b)
                for a, b in zip(
                    self._values_and_grads(compiled, inputs),
                    self._values_and_grads(self.eager, inputs),
                    strict=True,
                )
            )
        except Exception as error:  # the compiler's errors have no common class
            if devices.is_out_of_memory(error):
                raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            why = lines[0][:200]
        else:
            if off <= self._tolerance:
                return compiled
            why = f"compiled values or gradients are off by {off:.2g}"
        self._facts |= {"compiled": False, "compile_error": why}
        return self.eager

    def _values_and_grads(
        self, run: Callable[..., Tensor], inputs: tuple[Tensor, ...]
    ) -> list[Tensor]:
        values = run(*inputs).float()
        # Not a sum of squares: behind a norm that is constant, and its gradient rounding alone.
        weights = torch.linspace(-1, 1, values.numel(), device=values.device).view_as(values)
        (values * weights).sum().backward()
        params = self._model.parameters()
        grads = [p.grad.float().flatten() for p in params if p.grad is not None]
        self._model.zero_grad(set_to_none=True)
        return [values.detach(), torch.cat(grads)]


def _relative_difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm().clamp(min=1e-12))
