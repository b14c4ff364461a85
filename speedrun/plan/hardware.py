"""The device of a plan: one with a data sheet, a rate that was given, or this machine."""

import dataclasses
from dataclasses import dataclass

from speedrun.backends import registry
from speedrun.device import Device
from speedrun.plan.request import PlanRequest
from speedrun.system import hardware as machine
from speedrun.text import nearest

# Share of the rate of matrix products that training reaches, where nothing was measured: about
# that of the data sheets below (0.30 to 0.48).
USUAL_SHARE = 0.4
# Rates of training in mixed precision: "30 to 50 % of the spec is a conservative estimate".
_COURSE = "desty.github.io/study-tiny-llm, chapter 3, table of devices"
_HUB = "memory: huggingface.co/hardware"


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Rates in FLOP/s and memory in bytes; `here` is the device of this machine, if it is one."""

    title: str
    spec_flop_s: float
    effective_flop_s: float  # reached in training
    dtype: str  # of both rates
    memory_bytes: float  # of the smallest that is sold, unless the title says
    source: str
    effective_source: str = "reached in training, same sources"
    memory_source: str = "of the data sheet"
    is_processor: bool = False  # logits are made in small pieces, the program shares the memory
    here: Device | None = None
    note: str | None = None


_SHEET = "spec, dense, and memory: NVIDIA, as kept at glennklockwood.com/garden/processors"
# Name, title, TFLOP/s of the spec and reached, dtype, GB, source.
_ROWS = (
    ("m2-cpu", "Apple M2, processor", 0.5, 0.2, "fp32", 8, f"{_COURSE}; {_HUB}/apple-m2"),
    ("m2-pro-mps", "Apple M2 Pro, GPU", 7, 3, "fp32", 16, f"{_COURSE}; {_HUB}/apple-m2-pro"),
    ("t4", "NVIDIA T4", 65, 20, "fp16", 16, f"{_COURSE}; {_HUB}/t4"),
    (
        *("a100", "NVIDIA A100 40 GB", 312, 150, "bf16", 40),
        f"{_SHEET}/A100; effective: Anthony et al. 2023 (Transformer Math 101), GPT-NeoX with plain"
        f" attention; both also in {_COURSE}",
    ),
    (
        *("v100", "NVIDIA V100 32 GB (DGX-2H)", 130, 39, "fp16", 32),
        "Shoeybi et al. 2019 (Megatron-LM), §1: one V100 32 GB sustains 39 TFLOP/s, 30 % of its"
        " peak; spec: 39 / 0.30",
    ),
    (
        *("h100", "NVIDIA H100 SXM 80 GB", 989, 400, "bf16", 80),
        f"{_SHEET}/h100; effective: Dubey et al. 2024 (Llama 3), table 4, 380 to 430 TFLOP/s",
    ),
    (
        *("tpu-v4", "Google TPU v4", 275, 127, "bf16", 32 * 2**30 / 1e9),
        "spec and memory: cloud.google.com/tpu/docs/v4, 275 TFLOP/s and 32 GiB; effective:"
        " Chowdhery et al. 2022 (PaLM 540B), 46.2 % of the peak",
    ),
)
DEVICES = {
    name: Hardware(
        title=title,
        spec_flop_s=spec * 1e12,
        effective_flop_s=effective * 1e12,
        dtype=dtype,
        memory_bytes=gigabytes * 1e9,
        source=source,
        is_processor=name == "m2-cpu",
    )
    for name, title, spec, effective, dtype, gigabytes, source in _ROWS
}


def choose(request: PlanRequest) -> Hardware:
    """The device of a request; raises ValueError or LookupError for one that is not known."""
    options = request.options
    if options.tflops is not None:
        return Hardware(
            title=f"{options.tflops:g} TFLOP/s",
            spec_flop_s=options.tflops * 1e12,
            effective_flop_s=options.tflops * 1e12,
            dtype=options.dtype or "fp32",
            memory_bytes=float(machine.memory_bytes()),
            source="--tflops",
            effective_source="--tflops, taken as reached in training",
            memory_source="of this machine: --tflops gives a rate, not a memory",
        )
    if options.device is None:
        return _this_machine(request)
    key = "-".join(options.device.lower().replace("_", " ").replace("-", " ").split())
    if key not in DEVICES:
        raise nearest(options.device, DEVICES, "device")
    row, dtype = DEVICES[key], options.dtype
    note = f"The rates of {row.title} are for {row.dtype}; {dtype} may be far from them."
    return dataclasses.replace(
        row,
        dtype=dtype or row.dtype,
        source=f"{row.dtype}, {row.source}",
        note=note if dtype not in (None, row.dtype) else None,
    )


def _this_machine(request: PlanRequest) -> Hardware:
    device = registry.device(request.options.backend or "auto", request.architecture)
    dtype = request.options.dtype or "fp32"
    gflops = registry.backend(device.backend).matmul_gflops(device, dtype)
    if gflops is None:
        raise ValueError(
            f"--dtype {dtype} is not supported on {device.name}: allowed are"
            f" {', '.join(device.precisions)}; or plan for another --device"
        )
    free = machine.free_memory_bytes()
    return Hardware(
        title=f"this machine ({device.accelerator or device.name})",
        spec_flop_s=gflops * 1e9,
        effective_flop_s=USUAL_SHARE * gflops * 1e9,
        dtype=dtype,
        memory_bytes=float(device.memory_bytes or machine.memory_bytes()),
        source=f"best matrix products in {dtype}, measured now on {device.name}",
        effective_source=f"{USUAL_SHARE:g} x that, assumed; --measure trains to find out",
        memory_source=f"of {device.name}; {free / 1e9:.1f} GB of main memory are free",
        is_processor=device.accelerator is None,
        here=device,
    )
