"""A function that is compiled where that works and gives the same results."""

import re
from collections.abc import Callable
from typing import Any

from speedrun.backends import common
from speedrun.system.watchdog import ending_hung_children

# Relative difference in norm that another order of rounding explains.
_TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 5e-2}
_FEWEST_ROUNDS, _TIMING_S = 3, 3.0  # rounds go on for so long where compiled code looks slow
_SLOWER = 1.25  # than plain code
_CLEARLY_FASTER = 0.8  # of its time: one round is enough
_CLASS_NAME = re.compile(r"^([\w.]*(Error|Exception|Failed|Compiler):\s*)+")


class CheckedCompile:
    """Calls `eager`, or what it compiles to if at the first call that agrees and is no slower.

    A compiler that fails (there may be no C++ compiler), hangs or is wrong must not end a run.
    The outcome is written into `facts`: `compiled`, and `compile_error` where it failed.

    A subclass has `_compile`, `_difference` and `_seconds`.
    """

    def __init__(self, eager: Callable[..., Any], precision: str, facts: dict[str, Any]) -> None:
        self.eager, self._facts = eager, facts
        self._tolerance = _TOLERANCE[precision]
        self._chosen: Callable[..., Any] | None = None if facts["compiled"] else eager

    def __call__(self, *inputs: Any) -> Any:
        """The results of the function for these inputs."""
        if self._chosen is None:
            self._chosen = self._choose(inputs)
        try:
            return self._chosen(*inputs)
        except Exception as error:  # inputs of another shape are compiled again
            if self._chosen is self.eager or common.is_out_of_memory(error):
                raise
            self._chosen = self._give_up(self._reason(error))
            return self.eager(*inputs)

    def _choose(self, inputs: tuple[Any, ...]) -> Callable[..., Any]:
        with ending_hung_children() as ended:
            try:
                compiled = self._compile()
                difference = self._difference(compiled, inputs)
            except Exception as error:  # compilers' errors have no common class
                if common.is_out_of_memory(error):
                    raise
                return self._give_up(
                    f"{ended[0]} hung and was ended" if ended else self._reason(error)
                )
        if not difference <= self._tolerance:
            return self._give_up(f"compiled values or gradients are off by {difference:.2g}")
        if (ratio := self._slowdown(compiled, inputs)) > _SLOWER:
            return self._give_up(f"it is {ratio:.2f} times as slow as plain code")
        return compiled

    def _slowdown(self, compiled: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
        """Least seconds of compiled code over those of plain code, timed in turn.

        A busy machine makes either look slow for a while: it is slow only where it stays so.
        """
        compiled_s, eager_s = [], []
        while True:
            compiled_s.append(self._seconds(compiled, inputs))
            eager_s.append(self._seconds(self.eager, inputs))
            ratio = min(compiled_s) / min(eager_s)
            is_over = ratio <= _SLOWER or sum(compiled_s + eager_s) > _TIMING_S
            if ratio <= _CLEARLY_FASTER or (is_over and len(eager_s) >= _FEWEST_ROUNDS):
                return ratio

    def _give_up(self, reason: str) -> Callable[..., Any]:
        self._facts |= {"compiled": False, "compile_error": reason}
        return self.eager

    def _reason(self, error: Exception) -> str:
        """One line: what a compiler printed, or else how the error begins."""
        before, _, printed = str(error).strip().partition("\nOutput:\n")
        lines = [line.strip() for line in (printed or before).splitlines() if line.strip()]
        lines = [line for line in lines if printed and "error" in line] or lines
        return "the compiler fails: " + _CLASS_NAME.sub("", (lines or ["no reason given"])[0])[:200]

    def _compile(self) -> Callable[..., Any]:
        raise NotImplementedError

    def _difference(self, compiled: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
        """Largest relative difference in norm between compiled and eager results."""
        raise NotImplementedError

    def _seconds(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> float:
        """Seconds that the results of a function take."""
        raise NotImplementedError
