"""What every backend does alike: precision, groups, fitting weights, ranks, reading on."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from speedrun.config import Recipe
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Device, Engine, ExecutionConfig, OutOfMemory, Rows

T = TypeVar("T")

NextLogits = Callable[[NDArray[np.int32], Any], NDArray[np.float32]]
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


def tuned(recipe: Recipe, settings: ExecutionConfig) -> Recipe:
    """The recipe with what was found fastest for what it leaves open."""
    changes: dict[str, Any] = {
        "precision": settings.precision,
        "micro_batch_rows": settings.micro_batch_rows,
        "compile": None if settings.compile is None else settings.compile != "off",
    }
    return dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v is not None})


def halves(number: int) -> tuple[int, ...]:
    """The number and its halves, as far as they are whole."""
    out = [number]
    while out[-1] % 2 == 0:
        out.append(out[-1] // 2)
    return tuple(out)


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


class TextReader:
    """See `speedrun.protocols.Reader`.

    `next_logits(tokens, cache)` gives the logits [vocab] after `tokens` [length], which follow
    those read into the cache; without one they are the whole text. So is what the model sees of
    a text that has outgrown its context: a cache cannot forget its oldest tokens, because what
    it keeps of the later ones was made from them.
    """

    def __init__(
        self, next_logits: NextLogits, context: int, new_cache: Callable[[], Any] | None = None
    ) -> None:
        self._next_logits, self._context = next_logits, context
        self._cache = None if new_cache is None else new_cache()
        self._seen = np.empty(0, dtype=np.int32)
        self._num_read = 0

    def feed(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        if not len(tokens):
            raise ValueError("a reader was fed no tokens; it needs at least one")
        self._num_read += len(tokens)
        self._seen = np.concatenate((self._seen, tokens))[-self._context :]
        if self._num_read > self._context:
            self._cache = None
        if self._cache is None:
            return self._next_logits(self._seen, None)
        return self._next_logits(tokens, self._cache)


def on_every_rank(group: ProcessGroup, work: Callable[[], T]) -> T:
    """What `work` returns; OutOfMemory on all ranks where one has no room for its part.

    One that gave up alone would leave the others waiting for its gradients.
    """
    if group.size == 1:
        return work()
    result, failure = None, None
    try:
        result = work()
    except OutOfMemory as error:
        failure = error
    if group.any(failure is not None):
        raise failure or OutOfMemory("another process has no room")
    return result  # type: ignore[return-value]


def rows_at_once(recipe: Recipe, group: ProcessGroup) -> int:
    """Rows of one forward pass: what the recipe asks for, of those that are this rank's."""
    own = recipe.batch_rows // group.size
    return min(recipe.micro_batch_rows or own, own)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retry:
    """One time that a step ran out of memory and was taken again in smaller pieces."""

    reason: str  # the device's message
    micro_batch_rows: int  # rows of a piece from then on


def step_with_retry(engine: Engine, rows: Rows, lr_scale: float = 1.0) -> list[Retry]:
    """Take one training step, halving the micro-batch until memory suffices.

    Returns the retries, [] where the first try fitted. OutOfMemory where one row does not fit.
    """
    retries: list[Retry] = []
    while True:
        try:
            engine.step(rows, lr_scale)
            return retries
        except OutOfMemory as error:
            size = engine.halve_micro_batch()
            retries.append(Retry(reason=str(error), micro_batch_rows=size))
