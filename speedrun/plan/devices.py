"""Devices that a plan knows by name: rates, memory, and where each figure comes from."""

from dataclasses import dataclass

from speedrun.text import nearest

# Of training in mixed precision: "30 to 50 % of the spec is a conservative estimate".
_COURSE = "desty.github.io/study-tiny-llm, chapter 3, table of devices"


@dataclass(frozen=True, kw_only=True)
class NamedDevice:
    """A row of the table; rates in FLOP/s, memory in bytes."""

    name: str  # what --device takes
    title: str
    spec_flop_s: float
    effective_flop_s: float  # reached in training
    dtype: str  # that both rates are taken to be for
    memory_bytes: float  # of the smallest that is sold, unless the title says
    is_processor: bool = False
    source: str


DEVICES = (
    NamedDevice(
        name="m2-cpu",
        title="Apple M2, processor",
        spec_flop_s=0.5e12,
        effective_flop_s=0.2e12,
        dtype="fp32",
        memory_bytes=8e9,
        is_processor=True,
        source=f"{_COURSE}; memory: huggingface.co/hardware/apple-m2, 8 to 24 GB",
    ),
    NamedDevice(
        name="m2-pro-mps",
        title="Apple M2 Pro, GPU",
        spec_flop_s=7e12,
        effective_flop_s=3e12,
        dtype="fp32",
        memory_bytes=16e9,
        source=f"{_COURSE}; memory: huggingface.co/hardware/apple-m2-pro, 16 to 32 GB (and 6.8"
        " TFLOP/s)",
    ),
    NamedDevice(
        name="t4",
        title="NVIDIA T4",
        spec_flop_s=65e12,
        effective_flop_s=20e12,
        dtype="fp16",
        memory_bytes=16e9,
        source=f"{_COURSE}; memory: huggingface.co/hardware/t4, 16 GB (and 65.13 TFLOP/s)",
    ),
    NamedDevice(
        name="a100",
        title="NVIDIA A100 40 GB",
        spec_flop_s=312e12,
        effective_flop_s=150e12,
        dtype="bf16",
        memory_bytes=40e9,
        source="spec, dense, and memory: NVIDIA's data sheet as kept at glennklockwood.com/garden/"
        "processors/A100; effective: Anthony et al. 2023 (Transformer Math 101), GPT-NeoX with"
        f" plain attention; both also in {_COURSE}",
    ),
    NamedDevice(
        name="v100",
        title="NVIDIA V100 32 GB (DGX-2H)",
        spec_flop_s=130e12,
        effective_flop_s=39e12,
        dtype="fp16",
        memory_bytes=32e9,
        source="Shoeybi et al. 2019 (Megatron-LM), §1: one V100 32 GB sustains 39 TFLOP/s, 30 % of"
        " its peak; spec: 39 / 0.30",
    ),
    NamedDevice(
        name="h100",
        title="NVIDIA H100 SXM 80 GB",
        spec_flop_s=989e12,
        effective_flop_s=400e12,
        dtype="bf16",
        memory_bytes=80e9,
        source="spec, dense, and memory: NVIDIA's data sheet as kept at glennklockwood.com/garden/"
        "processors/h100; effective: Dubey et al. 2024 (Llama 3), table 4, 380 to 430 TFLOP/s",
    ),
    NamedDevice(
        name="tpu-v4",
        title="Google TPU v4",
        spec_flop_s=275e12,
        effective_flop_s=127e12,
        dtype="bf16",
        memory_bytes=32 * 2**30,
        source="spec and memory: cloud.google.com/tpu/docs/v4, 275 TFLOP/s and 32 GiB; effective:"
        " Chowdhery et al. 2022 (PaLM 540B), 46.2 % of the peak",
    ),
)


def named(name: str) -> NamedDevice:
    """The row of this name, in any spelling; LookupError with the nearest names."""
    key = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    for device in DEVICES:
        if device.name == key:
            return device
    raise nearest(name, (device.name for device in DEVICES), "device")
