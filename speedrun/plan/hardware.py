"""What a plan runs on: a device of the table, a rate that was named, or this machine."""

from dataclasses import dataclass

import psutil

from speedrun.backends import registry
from speedrun.models.flops import USUAL_SHARE
from speedrun.plan import devices
from speedrun.plan.options import Options
from speedrun.plan.request import Question
from speedrun.protocols import Device


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Rates in FLOP/s; `here` is the device of this machine, None for one that is elsewhere."""

    title: str
    spec_flop_s: float
    effective_flop_s: float
    spec_formula: str
    effective_formula: str
    memory_bytes: float
    memory_formula: str
    dtype: str
    is_processor: bool  # logits are made in small pieces, the program shares the memory
    here: Device | None = None
    note: str | None = None


def choose(options: Options, question: Question) -> Hardware:
    """The hardware that the options name; raises LookupError for an unknown device."""
    if options.device is not None:
        return _named(options.device, question.dtype)
    if options.tflops is not None:
        return _of_rate(options.tflops, question.dtype or "fp32")
    return _this_machine(question)


def _named(name: str, dtype: str | None) -> Hardware:
    row = devices.named(name)
    note = None
    if dtype is not None and dtype != row.dtype:
        note = f"The rates of {row.title} are for {row.dtype}; {dtype} may be far from them."
    return Hardware(
        title=row.title,
        spec_flop_s=row.spec_flop_s,
        effective_flop_s=row.effective_flop_s,
        spec_formula=f"{row.dtype}, {row.source}",
        effective_formula="what training reaches, same sources",
        memory_bytes=row.memory_bytes,
        memory_formula=f"of {row.title}",
        dtype=dtype or row.dtype,
        is_processor=row.is_processor,
        note=note,
    )


def _of_rate(tflops: float, dtype: str) -> Hardware:
    return Hardware(
        title=f"{tflops:g} TFLOP/s",
        spec_flop_s=tflops * 1e12,
        effective_flop_s=tflops * 1e12,
        spec_formula="--tflops",
        effective_formula="--tflops, taken as reached in training",
        memory_bytes=float(psutil.virtual_memory().total),
        memory_formula="of this machine: --tflops names a rate, not a memory",
        dtype=dtype,
        is_processor=False,
    )


def _this_machine(question: Question) -> Hardware:
    device = registry.device("auto", question.architecture)
    dtype = question.dtype or "fp32"
    gflops = registry.backend(device.backend).matmul_gflops(device, dtype)
    if gflops is None:
        raise ValueError(
            f"--dtype {dtype} is not there on {device.name}: allowed are"
            f" {', '.join(device.precisions)}; or plan for another --device"
        )
    return Hardware(
        title=f"this machine ({device.accelerator or device.name})",
        spec_flop_s=gflops * 1e9,
        effective_flop_s=USUAL_SHARE * gflops * 1e9,
        spec_formula=f"best matrix products in {dtype}, measured now on {device.name}",
        effective_formula=f"{USUAL_SHARE:g} x that, assumed; --measure trains and tells",
        memory_bytes=float(device.memory_bytes or psutil.virtual_memory().total),
        memory_formula=f"of {device.name}, {psutil.virtual_memory().available / 1e9:.1f} GB of"
        " this machine's are free now",
        dtype=dtype,
        is_processor=device.accelerator is None,
        here=device,
    )
