"""Checks of a record against the configuration of a built-in architecture: size and speed."""

import functools
import json
from collections.abc import Iterator

from speedrun.config import ModelConfig
from speedrun.models import code, flops, loader
from speedrun.records.schema import Record
from speedrun.records.summary import Summary

# Training reaches a quarter to a half of the measured rate of matrix products here; a rate that was
# measured beside other work may be a few times too low.
MAX_RATE_SHARE = 4.0
MAX_SIZE_RATIO = 2.0  # between two versions of one architecture, under the same settings

_names, architecture = functools.cache(loader.own_names), functools.cache(loader.architecture)


def problems(record: Record) -> Iterator[str]:
    """Sizes that are not those of the configuration, and speeds that the machine cannot reach."""
    model = _model(record.arch, json.dumps(record.config.get("model"), sort_keys=True))
    if model is None or not is_built_in(record):
        return
    if is_counted(record):
        if record.num_params > model.num_params:
            yield (
                f"{record.num_params} numbers are more than the {model.num_params} that its"
                " configuration allows"
            )
        return
    for name in ("num_params", "num_params_non_embedding"):
        claimed, expected = getattr(record, name), getattr(model, name)
        if not _is_same_size(claimed, expected, exactly=_is_todays(record)):
            yield f"{name} is {claimed}, but a {record.arch} of its configuration has {expected}"
    yield from _speed(record, model)


def is_of_this_project(arch: str) -> bool:
    """Whether the project has an architecture of this name."""
    return arch in _names()


def is_built_in(record: Record) -> bool:
    """Whether a record claims to be of an architecture of this project."""
    is_outside = record.source is not None and record.source.is_outside
    return is_of_this_project(record.arch) and not is_outside


def is_counted(run: Record | Summary) -> bool:
    """Whether the model is made of counts, without gradients; equal text makes equal ones."""
    return run.backend == "numpy"


@functools.lru_cache(maxsize=1024)
def _model(arch: str, config: str) -> ModelConfig | None:
    """The configuration of a built-in; None where today's version of it has other fields."""
    fields = json.loads(config)
    if arch not in _names() or not isinstance(fields, dict):
        return None
    try:
        return architecture(arch).Config(**fields)
    except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        return None


def _is_todays(record: Record) -> bool:
    """Whether a built-in is the one of this checkout, as far as the record says."""
    return record.source is None or record.source.architecture == _digest(record.arch)


@functools.cache
def _digest(arch: str) -> str:
    return code.folder_digest(architecture(arch))


def _is_same_size(claimed: int, expected: int, *, exactly: bool) -> bool:
    if exactly:
        return claimed == expected
    return expected / MAX_SIZE_RATIO <= claimed <= expected * MAX_SIZE_RATIO


def _speed(record: Record, model: ModelConfig) -> Iterator[str]:
    rates = record.hardware.matmul_gflops
    gflops = max(rates.fp32 or 0.0, rates.bf16 or 0.0)
    if gflops <= 0:
        return
    of_class = record.hardware.hardware_class.rpartition("-x")[2]
    num_devices = int(of_class) if of_class.isdecimal() and len(of_class) < 6 else 1
    of_record = architecture(record.arch)
    parts, _ = flops.forward_parts(of_record, model, is_processor=True)
    needed = flops.exact_flop(sum(parts.values()), record.train.tokens_per_s) / 1e9
    if needed > MAX_RATE_SHARE * gflops * num_devices:
        yield (
            f"{record.train.tokens_per_s:,.0f} tokens/s are {needed:,.0f} GFLOP/s, but the machine"
            f" multiplies matrices at {gflops * num_devices:,.0f}"
        )
