"""Devices that a plan knows by name: rates, memory, and where each figure comes from."""

from dataclasses import dataclass

from speedrun.config import nearest

_COURSE = "the rates that courses on small models teach"


@dataclass(frozen=True, kw_only=True)
class NamedDevice:
    """A row of the table; rates in FLOP/s, memory in bytes."""

    name: str  # what --device takes
    title: str
    spec_flop_s: float
    effective_flop_s: float  # reached in training
    dtype: str  # that both rates are for
    memory_bytes: float  # of the smallest that is sold, unless the title says
    is_processor: bool = False
    source: str


DEVICES = (
    NamedDevice(
        name="m2-cpu", title="Apple M2, processor", spec_flop_s=0.5e12, effective_flop_s=0.2e12,
        dtype="fp32", memory_bytes=8e9, is_processor=True,
        source=f"{_COURSE}; memory: Apple, MacBook Air (M2, 2022), technical specifications",
    ),
    NamedDevice(
        name="m2-pro-mps", title="Apple M2 Pro, GPU", spec_flop_s=7e12, effective_flop_s=3e12,
        dtype="fp32", memory_bytes=16e9,
        source=f"{_COURSE}; memory: Apple, MacBook Pro (M2 Pro, 2023), technical specifications",
    ),
    NamedDevice(
        name="t4", title="NVIDIA T4", spec_flop_s=65e12, effective_flop_s=20e12,
        dtype="fp16", memory_bytes=16e9,
        source=f"spec and memory: NVIDIA T4 data sheet; effective: {_COURSE}",
    ),
    NamedDevice(
        name="a100", title="NVIDIA A100 40 GB", spec_flop_s=312e12, effective_flop_s=150e12,
        dtype="bf16", memory_bytes=40e9,
        source=f"spec and memory: NVIDIA A100 data sheet; effective: {_COURSE}",
    ),
    NamedDevice(
        name="v100", title="NVIDIA V100 32 GB (DGX-2H)", spec_flop_s=130e12,
        effective_flop_s=39e12, dtype="fp16", memory_bytes=32e9,
        source="Shoeybi et al. 2019 (Megatron-LM): 39 TFLOP/s sustained, 30 % of peak",
    ),
    NamedDevice(
        name="h100", title="NVIDIA H100 SXM 80 GB", spec_flop_s=989e12, effective_flop_s=400e12,
        dtype="bf16", memory_bytes=80e9,
        source="spec and memory: NVIDIA H100 data sheet, dense; effective: Dubey et al. 2024"
        " (Llama 3), table 4: 380 to 430 TFLOP/s",
    ),
    NamedDevice(
        name="tpu-v4", title="Google TPU v4", spec_flop_s=275e12, effective_flop_s=127e12,
        dtype="bf16", memory_bytes=32e9,
        source="spec and memory: Jouppi et al. 2023; effective: Chowdhery et al. 2022 (PaLM),"
        " 46.2 % of the peak",
    ),
)  # fmt: skip


def named(name: str) -> NamedDevice:
    """The row of this name, in any spelling; LookupError with the nearest names."""
    key = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    for device in DEVICES:
        if device.name == key:
            return device
    raise nearest(name, (device.name for device in DEVICES), "device")
