"""A function that is compiled where that works and gives the same results."""

from collections.abc import Callable
from typing import Any

from speedrun.backends import common

# Relative difference in norm that another order of rounding explains.
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 5e-2}


class CheckedCompile:
    """Calls `eager`, or what it compiles to if that agrees with it at the first call.

    A compiler that fails (there may be no C++ compiler) or is wrong must not end a run. The
    outcome is written into `facts`: `compiled`, and `compile_error` where it failed.

    A subclass has `_compile` and `_difference`.
    """

    def __init__(self, eager: Callable[..., Any], precision: str, facts: dict[str, Any]) -> None:
        self.eager, self._facts = eager, facts
        self._tolerance = _TOLERANCE[precision]
        self._chosen: Callable[..., Any] | None = None if facts["compiled"] else eager

    def __call__(self, *inputs: Any) -> Any:
        """The results of the function for these inputs."""
        if self._chosen is None:
            self._chosen = self._choose(inputs)
        return self._chosen(*inputs)

    def _choose(self, inputs: tuple[Any, ...]) -> Callable[..., Any]:
        try:
            compiled = self._compile()
            difference = self._difference(compiled, inputs)
        except Exception as error:  # compilers' errors have no common class
            if common.is_out_of_memory(error):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        else:
            if difference <= self._tolerance:
                return compiled
            reason = f"compiled values or gradients are off by {difference:.2g}"
        self._facts |= {"compiled": False, "compile_error": reason}
        return self.eager

    def _compile(self) -> Callable[..., Any]:
        raise NotImplementedError

    def _difference(self, compiled: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
        """Largest relative difference in norm between compiled and eager results."""
        raise NotImplementedError
