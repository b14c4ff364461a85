"""From a number of parameters to a configuration: the search that the size solvers share."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

TOLERANCE = 0.03  # how far from the size asked for a configuration may be
_CLOSE = 0.01
_STEP = 8  # of width
_WIDEST = 8192

Shapes = Iterable[tuple[str, tuple[int, ...]]]


class Sized(Protocol):
    """A configuration, as far as sizing is concerned."""

    @property
    def hidden(self) -> int:
        """Width of the part that takes up what the embedding leaves."""
        ...

    @property
    def num_params(self) -> int:
        """Trainable parameters."""
        ...


C = TypeVar("C", bound=Sized)


def num_params(shapes: Shapes, without: tuple[str, ...] = ()) -> int:
    """Numbers in parameters of these shapes, except names that start with one of `without`."""
    return sum(math.prod(shape) for name, shape in shapes if not name.startswith(without))


def solve(
    smallest: Callable[[int], C | None],
    target: int,
    fixed: Mapping[str, Any],
    penalty: Callable[[C], float],
    hidden_steps: Sequence[int] = (8,),
) -> C:
    """The configuration nearest to `target` parameters, of least `penalty` within 1 %.

    `smallest(width)` is the configuration of a width with the smallest hidden size; None where
    there is none. Width steps by 8, and the hidden size takes up the rest, rounded to each of
    `hidden_steps`; what is in `fixed` stays. Raises ValueError, saying what to ask for, where
    none is within 3 %.
    """
    found = list(_candidates(smallest, target, fixed, hidden_steps))
    if not found:
        raise ValueError(
            f"--params {target}: too small for a vocabulary of {fixed['vocab']} with these"
            " settings; ask for more, or for a smaller --vocab"
        )
    close = [c for c in found if abs(c.num_params / target - 1) <= _CLOSE]
    if close:
        return min(close, key=penalty)
    nearest = min(found, key=lambda c: abs(c.num_params / target - 1))
    if abs(nearest.num_params / target - 1) > TOLERANCE:
        raise ValueError(
            f"--params {target:,}: the nearest size with these settings and a vocabulary of"
            f" {fixed['vocab']} is {nearest.num_params:,}; ask for that size, for another"
            " --vocab, or fix fewer --set model.… fields"
        )
    return nearest


def _candidates(
    smallest: Callable[[int], C | None],
    target: int,
    fixed: Mapping[str, Any],
    hidden_steps: Sequence[int],
) -> Iterator[C]:
    """One for each width and rounding, as far as widths are not too large for `target`."""
    is_width_fixed = "width" in fixed
    for width in [fixed["width"]] if is_width_fixed else range(_STEP, _WIDEST, _STEP):
        config = smallest(width)
        if config is None:
            continue
        if "hidden" in fixed:
            if is_width_fixed or config.num_params <= target * (1 + TOLERANCE):
                yield config
                continue
            return
        if not is_width_fixed and config.num_params > target * (1 + TOLERANCE):
            return
        exact = _exact_hidden(config, target)
        for step in hidden_steps:
            hidden = round(exact / step) * step
            if hidden >= config.hidden or is_width_fixed:
                yield dataclasses.replace(config, hidden=max(config.hidden, hidden))  # type: ignore[type-var]


def _exact_hidden(config: Any, target: int) -> float:
    """The hidden size that meets `target`: the number of parameters is a quadratic in it."""
    p1, p2, p3 = (dataclasses.replace(config, hidden=h).num_params for h in (1, 2, 3))
    a = (p3 - 2 * p2 + p1) / 2
    b = p2 - p1 - 3 * a
    c = p1 - a - b - target
    if a == 0:
        return -c / b
    return (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)


# Defaults that the families have found worth it at a size.


def num_common_for(vocab: int) -> int:
    """Ids in the first softmax of two; 0 where a vocabulary is too small to be divided."""
    return 1024 if vocab > 2048 else 0


def num_tables_for(target: int) -> int:
    """Layers with a table of vectors by token."""
    return 0 if target < 500_000 else 1 if target < 1_500_000 else 2


def transformer_depth_for(target: int) -> int:
    """Blocks of a transformer that trains in minutes."""
    return 2 if target < 1_000_000 else 3 if target < 8_000_000 else 4


def heads_for(width: int) -> int:
    """Heads of about 64, the size that attention kernels like best; head sizes are even."""
    divisors = [n for n in range(1, width // 2 + 1) if width % (2 * n) == 0]
    return min(divisors or [1], key=lambda n: abs(width / n - 64))


# Checks of fields; each raises ValueError naming the field and what is allowed.


def check_positive(config: Any, *names: str) -> None:
    """Refuse fields below 1."""
    for name in names:
        if getattr(config, name) < 1:
            raise ValueError(f"model.{name}={getattr(config, name)}: must be 1 or more")


def check_tables(config: Any, name: str) -> None:
    """Refuse more tables than layers, and a first softmax of all ids or more."""
    if not 0 <= getattr(config, name) <= config.depth:
        raise ValueError(
            f"model.{name}={getattr(config, name)}: allowed are 0 to model.depth={config.depth}"
        )
    if not 0 <= config.num_common < config.vocab:
        raise ValueError(
            f"model.num_common={config.num_common}: allowed are 0 to below {config.vocab}"
        )


def check_heads(width: int, heads: int, *, is_rotary: bool) -> None:
    """Refuse heads that do not divide the width, and odd head sizes for rotary positions."""
    if width % heads:
        fitting = ", ".join(str(n) for n in range(1, width + 1) if width % n == 0)
        raise ValueError(f"model.heads={heads} must divide model.width={width}: {fitting}")
    if is_rotary and width // heads % 2:
        raise ValueError(
            f"rotary positions need an even head size, not {width // heads}:"
            " change model.heads or model.width"
        )
