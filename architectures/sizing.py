"""What the size solvers share: which of many configurations a number of parameters means."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

TOLERANCE = 0.03  # how far from the size asked for a configuration may be
_CLOSE = 0.01


class Sized(Protocol):
    """A configuration, as far as this is concerned."""

    @property
    def num_params(self) -> int: ...


C = TypeVar("C", bound=Sized)


def chosen(
    name: str, target: int, vocab: int, candidates: Iterable[C], penalty: Callable[[C], float]
) -> C:
    """Among configurations within 1 % of `target` the one of least `penalty`, else the nearest.

    Raises ValueError, saying what to ask for, where none is within 3 %.
    """
    found = list(candidates)
    if not found:
        raise ValueError(
            f"--params {target}: too small for a vocabulary of {vocab} with these settings;"
            " ask for more, or for a smaller --vocab"
        )
    close = [c for c in found if abs(c.num_params / target - 1) <= _CLOSE]
    if close:
        return min(close, key=penalty)
    nearest = min(found, key=lambda c: abs(c.num_params / target - 1))
    if abs(nearest.num_params / target - 1) > TOLERANCE:
        raise ValueError(
            f"--params {target:,}: the nearest {name} with these settings and a vocabulary of"
            f" {vocab} has {nearest.num_params:,}; ask for that size, for another --vocab,"
            " or fix fewer --set model.… fields"
        )
    return nearest
