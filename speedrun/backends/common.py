"""What every backend decides alike: precision, parameter groups, which weights fit."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from numpy.typing import NDArray

from speedrun.config import Recipe
from speedrun.protocols import Device, OutOfMemory
from speedrun.team import Team

T = TypeVar("T")

# Half precision also pays in memory traffic, but casts cost: it must win clearly.
_HALF_MUST_WIN_BY = 1.5


def precision(wanted: str, device: Device, rate: Callable[[str], float | None]) -> str:
    """The precision to train in; `auto` compares the measured `rate` of matrix products.

    Raises ValueError for one that the device does not have.
    """
    if wanted == "auto":
        rates = {p: rate(p) or 0.0 for p in device.precisions if p in ("fp32", "bf16")}
        return "bf16" if rates.get("bf16", 0.0) > _HALF_MUST_WIN_BY * rates["fp32"] else "fp32"
    if wanted not in device.precisions:
        raise ValueError(
            f"recipe.precision={wanted} is not there on {device.name}:"
            f" allowed are auto, {', '.join(device.precisions)}"
        )
    return wanted


def group_of(name: str, patterns: Sequence[tuple[str, str]]) -> str:
    """The parameter group of a name: the first pattern that matches."""
    for pattern, group in patterns:
        if fnmatchcase(name, pattern):
            return group
    raise LookupError(f"parameter {name!r} matches no pattern of PARAM_GROUPS; add one for it")


def check_fit(weights: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError where `weights` are not those of a model with these `shapes`."""
    if shapes.keys() != weights.keys():
        odd = sorted(shapes.keys() ^ weights.keys())
        raise ValueError(f"weights do not fit the model: {', '.join(odd[:4])}")
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != tuple(shape):
            raise ValueError(
                f"weight {name!r} has shape {tuple(weights[name].shape)}, expected {tuple(shape)}"
            )


def on_every_rank(team: Team, work: Callable[[], T]) -> T:
    """What `work` returns; OutOfMemory on all ranks where one has no room for its part.

    One that gave up alone would leave the others waiting for its gradients.
    """
    if team.size == 1:
        return work()
    result, failure = None, None
    try:
        result = work()
    except OutOfMemory as error:
        failure = error
    if team.any(failure is not None):
        raise failure or OutOfMemory("another process has no room")
    return result  # type: ignore[return-value]


def rows_at_once(recipe: Recipe, team: Team) -> int:
    """Rows of one forward pass: what the recipe asks for, of those that are this rank's."""
    own = recipe.batch_rows // team.size
    return min(recipe.micro_batch_rows or own, own)
