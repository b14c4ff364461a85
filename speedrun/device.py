"""A device, the settings of execution on it, and the profile of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device to train on: a row of `doctor`, a choice of `--device`."""

    name: str  # value of --device: "cuda", "mps", "cpu"
    backend: str  # the folder under speedrun/backends that drives it: "torch"
    available: bool
    detail: str  # description, or the reason why it is not available
    accelerator: str | None = None  # its model name, if it is not the processor itself
    uuid: str | None = None  # by which NVML knows the accelerator that this process uses
    memory_bytes: int | None = None
    precisions: tuple[str, ...] = ()  # supported in training, e.g. ("fp32", "bf16")
    priority: int = 0  # `auto` takes the highest
    shared: str | None = None  # an accelerator that other backends drive too: `auto` times them
    warnings: tuple[str, ...] = ()  # shown before a run on it


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """Settings that change the speed of a step and not its result; `speedrun.autotune` finds them.

    None leaves a field to the recipe and to the backend.
    """

    precision: str | None = None
    num_threads: int | None = None
    micro_batch_rows: int | None = None
    workers: int | None = None  # threads that each compute rows of their own
    attention: str | None = None  # a kernel by name; "auto": the framework's own choice
    keep_memory: bool | None = None  # freed memory stays with the process
    fused: bool | None = None  # the optimizer's update in one kernel
    compile: str | None = None  # "off", "default" or another mode of the compiler


DEFAULT_EXECUTION = ExecutionConfig()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Time of the parts of a training step, which add up to the step."""

    parts_s: Mapping[str, float]  # seconds by part, the mean over the profiled steps
    note: str | None = None  # the method, where it is not plain timing

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        return sum(self.parts_s.values())
