"""Functions that every backend uses: precision, parameter groups, memory, ranks, rates."""

import dataclasses
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from speedrun.config import Recipe
from speedrun.device import Device, ExecutionConfig
from speedrun.distributed.group import ProcessGroup
from speedrun.protocols import Engine, EngineSpec, OutOfMemory, Rows, Weights

T = TypeVar("T")
_PROBE_S = 0.06  # longest matrix product of a rate
_MAX_PROBE_SIZE = 8192
SUSTAINED_S = 0.3  # of a usual rate
_WINDOW_S = 0.05
_SUSTAINED_PRODUCT_S = 1e-3  # a product of it takes about as long, up to four times that
_MAX_SUSTAINED_SIZE = 2048
_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "unable to allocate",
    "can't allocate memory",
    "not enough memory",
    "insufficient memory",
    "attempting to allocate",
)

# Half precision also pays in memory traffic, but casts cost: it must win clearly.
_MIN_HALF_SPEEDUP = 1.5


def precision(wanted: str, device: Device, rate: Callable[[str], float | None]) -> str:
    """The precision to train in; `auto` compares the measured `rate` of matrix products.

    Raises ValueError for one that the device does not have.
    """
    if wanted == "auto":
        rates = {p: rate(p) or 0.0 for p in device.precisions if p in ("fp32", "bf16")}
        return "bf16" if rates.get("bf16", 0.0) > _MIN_HALF_SPEEDUP * rates["fp32"] else "fp32"
    if wanted not in device.precisions:
        raise ValueError(
            f"recipe.precision={wanted} is not supported on {device.name}:"
            f" allowed are auto, {', '.join(device.precisions)}"
        )
    return wanted


def tuned(recipe: Recipe, execution: ExecutionConfig) -> Recipe:
    """The recipe with the execution settings that were found fastest."""
    changes: dict[str, Any] = {
        "precision": execution.precision,
        "micro_batch_rows": execution.micro_batch_rows,
        "workers": execution.workers,
        "compile": None if execution.compile is None else execution.compile != "off",
    }
    return dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v is not None})


def anew(spec: EngineSpec) -> EngineSpec:
    """The spec of an engine that only scores, from the architecture's code executed again.

    Seed and settings are those with which a saved run is loaded, not those of training.
    """
    architecture = spec.architecture.imported_anew()
    config: Any = spec.config
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.init}
    return dataclasses.replace(
        spec,
        architecture=architecture,
        config=architecture.Config(**fields),
        seed=0,
        group=ProcessGroup(),
        execution=dataclasses.replace(spec.execution, precision="fp32", compile="off"),
    )


def seed_generators(seed: int, rank: int) -> int:
    """Seed the global generators of Python and NumPy; the seed for a framework's own."""
    drawn = int(np.random.SeedSequence([seed, rank, 0x6E4]).generate_state(1)[0])
    random.seed(drawn)
    np.random.seed(drawn)
    return drawn


def parts(arrays: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """Values named `part/name` as dictionaries by name, one for each part."""
    found: dict[str, dict[str, T]] = {}
    for path, value in arrays.items():
        part, _, name = path.partition("/")
        found.setdefault(part, {})[name] = value
    return found


def random_state() -> dict[str, Any]:
    """States of the global generators of Python and NumPy, as JSON can hold them."""
    name, keys, *rest = np.random.get_state()
    version, numbers, gauss = random.getstate()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
    }


def restore_random(state: Mapping[str, Any]) -> None:
    """Set the generators of `random_state`."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))


def halves(number: int) -> tuple[int, ...]:
    """The number and its halves while they are integers."""
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


def without_zeros(weights: Weights) -> Weights:
    """The weights, with arrays that are all zeros in the memory of one number.

    A table of a million rows would be held once more to be zeros again after a reset.
    """
    return {
        name: w if w.any() else np.broadcast_to(np.zeros((), w.dtype), w.shape)
        for name, w in weights.items()
    }


def on_every_rank(group: ProcessGroup, work: Callable[[], T]) -> T:
    """The result of `work`; OutOfMemory on all ranks where it runs out of memory on one.

    A rank that gave up alone would leave the others waiting for its gradients.
    """
    if group.size == 1:
        return work()
    result, failure = None, None
    try:
        result = work()
    except OutOfMemory as error:
        failure = error
    if group.any(failure is not None):
        raise failure or OutOfMemory("another process ran out of memory")
    return result  # type: ignore[return-value]


def rows_at_once(recipe: Recipe, group: ProcessGroup) -> int:
    """Rows of one forward pass: those of the recipe, at most this rank's share of a batch."""
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


def best_gflops(multiplier: Callable[[int], Callable[[], object]]) -> float:
    """Best measured rate of square matrix products, in GFLOP/s.

    `multiplier(size)` gives a function that multiplies two matrices [size, size] and waits for
    the result. Sizes double until one product would take longer than `_PROBE_S`: where the rate
    is low that is early, so that precisions without kernels cost no more time than fast ones.
    """
    best, size = 0.0, 256
    while True:
        multiply = multiplier(size)
        rate, deadline = 0.0, time.perf_counter() + _PROBE_S
        while time.perf_counter() < deadline or not rate:
            start = time.perf_counter()
            multiply()
            rate = max(rate, 2e-9 * size**3 / (time.perf_counter() - start))
        best = max(best, rate)
        size *= 2
        if 2e-9 * size**3 / rate > _PROBE_S or size > _MAX_PROBE_SIZE:
            return best


def sustained_gflops(
    multiplier: Callable[[int], Callable[[], object]],
) -> Callable[[], float | None]:
    """A function that measures the usual rate of matrix products for `SUSTAINED_S`.

    What slows products down all the while counts, where `best_gflops` finds the rate of the
    undisturbed ones; a hiccup does not: it is the median of means over `_WINDOW_S`. The size is
    chosen once, so that two measurements compare; None where memory is short.
    """
    size = 256
    while size < _MAX_SUSTAINED_SIZE and _shortest_s(multiplier(size)) < _SUSTAINED_PRODUCT_S:
        size *= 2

    def measure() -> float | None:
        try:
            multiply = multiplier(size)
            multiply()  # threads wake up, memory is touched
            rates, deadline = [], time.perf_counter() + SUSTAINED_S
            while time.perf_counter() < deadline:
                rates.append(_products_per_s(multiply))
            return 2e-9 * size**3 * statistics.median(rates)
        except Exception as error:
            if is_out_of_memory(error):
                return None
            raise

    return measure


def _products_per_s(multiply: Callable[[], object]) -> float:
    start, num_products = time.perf_counter(), 0
    while (spent_s := time.perf_counter() - start) < _WINDOW_S:
        multiply()
        num_products += 1
    return num_products / spent_s


def _shortest_s(multiply: Callable[[], object]) -> float:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - start)
    return min(times)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a framework's error, of whatever class, says that memory ran out.

    On the processor MLX 0.32 raises none: there the system ends the process.
    """
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY)


def peak_resident_bytes() -> int:
    """Largest resident size of this process so far."""
    try:
        import resource
    except ImportError:  # Windows, where the system counts it elsewhere
        info = psutil.Process().memory_info()
        return getattr(info, "peak_wset", info.rss)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
