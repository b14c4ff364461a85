"""Checks of a record's machine: class, cores, threads, memory and accounts off the clock."""

import math
import re
from collections.abc import Iterator

from speedrun.records import sections
from speedrun.records.sanitize import brief
from speedrun.records.schema import Record
from speedrun.records.sections import CLOCK_TITLES, OFF_CLOCK
from speedrun.system import hardware

_DAY_S = 86_400.0  # longer is no account of a race of at most a day
_THREADS_PER_CORE = 8  # of the processors with most
_PROCESSOR = re.compile(r"cpu-([a-z0-9_]+)-(\d{1,6})c(-[a-z0-9_.-]+)?")
_BYTES_PER_PARAM = 4
_MIN_MEMORY, _MAX_MEMORY = 64 << 20, 1 << 47
_MAX_CORES = 1 << 16
_MAX_GFLOPS_PER_CORE = 10_000.0  # AMX in bf16 reaches 6,000
_FACTS = ("cpu", "cores", "memory_bytes", "physical_cores", "cpu_quota", "memory_limit")
_NO_MACHINE = hardware.Machine(cpu="", arch="", cores=1, memory_bytes=0, features=())


def problems(record: Record) -> Iterator[str]:
    """Facts about the machine that exclude each other."""
    yield from _class(record)
    machine, threads = record.hardware, record.train.engine.get("num_threads")
    if not 1 <= machine.cores <= _MAX_CORES:
        yield f"a machine of {machine.cores} cores raced"
    elif isinstance(threads, int) and threads > _THREADS_PER_CORE * machine.cores:
        yield f"{threads} threads on {machine.cores} cores are more than any processor runs"
    if record.schema_version >= 4 and machine.cores != (cores := _usable(machine)):
        yield f"a machine of {machine.cores} cores raced, but those it could use are {cores}"
    if not _MIN_MEMORY <= machine.memory_bytes <= _MAX_MEMORY:
        yield f"a machine with {machine.memory_bytes} bytes of memory raced"
    elif machine.accelerator is None and record.train.peak_bytes > machine.memory_bytes:
        peak = f"training took {record.train.peak_bytes} bytes"
        yield f"{peak} of a machine that has {machine.memory_bytes}"
    if 0 < record.train.peak_bytes < _BYTES_PER_PARAM * record.num_params:
        peak = f"training took {record.train.peak_bytes} bytes at most"
        yield f"{peak}, in which {record.num_params} parameters do not fit"
    most = math.inf if machine.accelerator else _MAX_GFLOPS_PER_CORE * machine.cores
    for name, rate in _rates(record):
        if rate is not None and not 0 < rate <= most:
            yield f"its rate of matrix products ({name}) is {rate:g} GFLOP/s"
    for name in OFF_CLOCK:
        if (spent_s := getattr(record.clock, name)) > _DAY_S:
            yield f"its account of {CLOCK_TITLES[name]} is {spent_s:.3g} s; a day is the most"


def _rates(record: Record) -> Iterator[tuple[str, float | None]]:
    yield from record.hardware.matmul_gflops
    if record.host is not None:
        yield "before training", record.host.matmul_before
        yield "after training", record.host.matmul_after


def _class(record: Record) -> Iterator[str]:
    """The class follows from device, accelerator and cores as far as the record tells it."""
    machine, name = record.hardware, record.hardware.hardware_class
    stem = re.sub(r"-x\d{1,6}$", "", name)
    shown = f"its hardware class is {brief(name)}"
    if record.device == "cuda" or stem.startswith("cuda-"):
        expected = hardware.hardware_class(_NO_MACHINE, "cuda", machine.accelerator)
        if record.device != "cuda" or stem != expected:
            yield f"{shown}, but it was trained on {_device(record)}"
    elif (found := _PROCESSOR.fullmatch(stem)) is not None:
        if machine.accelerator is not None:
            yield f"{shown}, but it was trained on {_device(record)}"
        elif int(found[2]) != machine.cores:
            yield f"{shown}, but the machine has {machine.cores} cores"
        elif record.schema_version >= 4 and stem != (expected := _expected(found[1], machine)):
            yield f"{shown}, but cores, quota, memory and features make {brief(expected)}"
    elif stem != re.sub(r"[^a-z0-9_]+", "-", machine.cpu.lower()).strip("-"):
        yield f"{shown}, but its processor is {brief(machine.cpu)}"


def _usable(machine: sections.Hardware) -> int:
    """Cores that quota and affinity leave."""
    quota = machine.cpu_quota
    return machine.physical_cores if quota is None else max(1, math.ceil(quota))


def _expected(arch: str, machine: sections.Hardware) -> str:
    """The class that follows from the facts of a processor."""
    facts = {name: getattr(machine, name) for name in _FACTS}
    features = tuple(machine.features)
    return hardware.processor_class(hardware.Machine(arch=arch, features=features, **facts))


def _device(record: Record) -> str:
    named = f" ({brief(record.hardware.accelerator)})" if record.hardware.accelerator else ""
    return f"{brief(record.device)}{named}"
