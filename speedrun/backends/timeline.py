"""Time of each part of a training step, measured by wrapping calls from outside.

The time is cut at marks, and each piece belongs to the part that its mark names: so the parts
add up to the step.
"""

import contextlib
import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# Parts of a step beside the model's own.
DATA, MODEL, OUTPUT = "data", "rest of the model", "output and loss"
EXCHANGE, OPTIMIZER, REST = "exchange", "optimizer", "the rest"


@contextlib.contextmanager
def replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Within it these attributes of `owner` have these values."""
    own = {name: vars(owner)[name] for name in values if name in vars(owner)}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name in values:
            delattr(owner, name)  # what the class has shows again
            if name in own:
                setattr(owner, name, own[name])


class Timeline:
    """Marks in time, each the beginning of a piece.

    `now()` gives a time, once the device is done with what was asked of it; `seconds(a, b)` is
    the time between two of them. `settle(*values)` waits for values that are computed lazily.
    """

    def __init__(
        self,
        now: Callable[[], Any],
        seconds: Callable[[Any, Any], float] = lambda start, stop: stop - start,
        settle: Callable[..., object] = lambda *values: None,
    ) -> None:
        self._now, self._seconds, self._settle = now, seconds, settle
        self._part = ""
        self._marks: list[tuple[str, Any]] = []

    def mark(self, part: str) -> None:
        """Charge the time from now on to `part`."""
        if part != self._part:
            self._part = part
            self._marks.append((part, self._now()))

    def charged(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its calls charged to `part`."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._settle(args, kwargs)
            before = self._part
            self.mark(part)
            result = function(*args, **kwargs)
            self._settle(result)
            self.mark(before)
            return result

        return timed

    def charging(
        self, owner: Any, parts: Mapping[str, str]
    ) -> contextlib.AbstractContextManager[None]:
        """Within it calls of these attributes of `owner` are charged to parts."""
        timed = {name: self.charged(part, getattr(owner, name)) for name, part in parts.items()}
        return replaced(owner, **timed)

    def parts_s(self) -> dict[str, float]:
        """Seconds of each part from the first mark to the last."""
        parts_s: dict[str, float] = defaultdict(float)
        for (part, start), (_, stop) in itertools.pairwise(self._marks):
            parts_s[part] += self._seconds(start, stop)
        return dict(parts_s)
