"""The two seams: what a backend offers the trainer, and what an architecture offers a backend.

NumPy arrays cross the seams, tensors never: one trainer serves every framework.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from speedrun.config import ModelConfig, Recipe
from speedrun.distributed.group import ProcessGroup

Rows = NDArray[np.int32]  # [rows, context + 1]: inputs are [:, :-1], targets are [:, 1:]
# Trained numbers are float32, what is counted and looked up by key is int64.
Weights = dict[str, NDArray[Any]]
Likelihood = Literal["exact", "bound"]


@dataclass(frozen=True, kw_only=True)
class NoisedBatch:
    """Rows under noise, drawn in NumPy so that every framework sees the same."""

    noisy: NDArray[np.int32]  # [rows, context + 1]: what the network reads
    clean: NDArray[np.int32]  # [rows, context + 1]: what it predicts, place by place
    steps: NDArray[np.int32]  # [rows]: how far the noise has come, 1 to the last step
    active: NDArray[np.bool_]  # [rows, context + 1]: where the bound has a term
    weights: NDArray[np.float32]  # [rows]: of the terms, where steps are not drawn evenly

    def __getitem__(self, rows: slice) -> Self:
        return type(self)(
            noisy=self.noisy[rows],
            clean=self.clean[rows],
            steps=self.steps[rows],
            active=self.active[rows],
            weights=self.weights[rows],
        )

    def __len__(self) -> int:
        return len(self.steps)


class OutOfMemory(MemoryError):
    """The device had no room for a step; nothing of that step was applied."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One place to train: a row of `doctor`, a choice of `--backend`."""

    name: str  # what --backend takes: "cuda", "mps", "cpu"
    backend: str  # the folder under speedrun/backends that drives it: "torch"
    available: bool
    detail: str  # what it is, or why it is not available
    accelerator: str | None = None  # its model name, if it is not the processor itself
    memory_bytes: int | None = None
    precisions: tuple[str, ...] = ()  # what it can train in, e.g. ("fp32", "bf16")
    priority: int = 0  # `auto` takes the highest
    shared: str | None = None  # an accelerator that other backends drive too: `auto` times them
    warnings: tuple[str, ...] = ()  # what a person should know before racing here


@dataclass(frozen=True, kw_only=True)
class ExecutionConfig:
    """How a step is computed, never what it computes: `speedrun.autotune` finds the fastest.

    None leaves a field to the recipe and to the backend.
    """

    precision: str | None = None
    num_threads: int | None = None
    micro_batch_rows: int | None = None
    attention: str | None = None  # a kernel by name; "auto": the framework's own choice
    keep_memory: bool | None = None  # freed memory stays with the process
    fused: bool | None = None  # the optimizer's update in one kernel
    compile: str | None = None  # "off", "default" or another mode of the compiler


DEFAULT_EXECUTION = ExecutionConfig()


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where the time of a training step goes: the parts add up to the step."""

    parts_s: Mapping[str, float]  # by part, the mean over the steps that were profiled
    note: str | None = None  # how parts were told apart, where not by plain timing

    @property
    def step_s(self) -> float:
        return sum(self.parts_s.values())


class Reader(Protocol):
    """A model that reads one text and says what may come next."""

    def feed(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read on [length]; logits [vocab] of the token after the last of them."""
        ...


class Engine(Protocol):
    """A model in training on one device. Compilation, precision and placement live here."""

    def step(self, rows: Rows, lr_scale: float) -> None:
        """Enqueue one training step; raises OutOfMemory with weights untouched."""
        ...

    def sync(self) -> None:
        """Wait until the device has finished."""
        ...

    def finalize_s(self) -> float:
        """Seconds that `finalize` would take now, rather too many; 0 where nothing is left."""
        ...

    def finalize(self) -> None:
        """Do what training has put off; on the clock, after the last step."""
        ...

    def train_loss(self) -> float:
        """Mean loss in nats per token over the steps since the last call; synchronises."""
        ...

    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        shares: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Nats of each target [rows, context], in float64 and full precision.

        An exact model has no use for the rest. Of a bound these are one draw for each row,
        right in the mean over `seed` and over `shares` [rows], the places of the draws in the
        noise process, uniform in (0, 1] (None: spread evenly). The first `prefix_length` targets
        are context: shown without noise, and free.
        """
        ...

    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Logits [rows, length, vocab]: of the next tokens of an exact model; of a bound, of the
        clean tokens behind noisy ones at noise `steps` [rows]."""
        ...

    def reader(self) -> Reader:
        """An exact model at the start of a text, to tell a story with.

        Costs one token's work a token where the architecture has a cache, else a pass over the
        whole text. Of a text longer than the context it sees the last `context` tokens. The
        weights must stay as they are while it reads.
        """
        ...

    def weights(self) -> Weights: ...

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None: ...

    def reset(self) -> None:
        """Restore initial weights, optimizer and noise: as if no step had been taken."""
        ...

    def halve_micro_batch(self) -> int:
        """Make room: split a step's rows into smaller pieces and return their size."""
        ...

    def peak_bytes(self) -> int: ...

    def metadata(self) -> dict[str, Any]:
        """What the engine chose: precision, micro-batch, compiled or not, threads, fallbacks."""
        ...


class Profiled(Protocol):
    """What an engine of one process can do besides: `bench` asks for it, no race does."""

    def profile(self, batches: Sequence[Rows]) -> Profile:
        """Train on these rows, a step each or a few, and say which part of one takes how long."""
        ...


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """Everything an engine is made from.

    Each rank of a `group` trains on its share of a step's rows, and all take the same step.
    """

    architecture: Architecture
    config: ModelConfig
    recipe: Recipe
    device: Device
    seed: int = 0
    group: ProcessGroup = field(default_factory=ProcessGroup)
    execution: ExecutionConfig = DEFAULT_EXECUTION


class Backend(Protocol):
    """A framework: a folder under `speedrun/backends`."""

    def devices(self) -> Sequence[Device]: ...

    def engine(self, spec: EngineSpec) -> Engine:
        """A new engine; ValueError where the spec cannot be met on its device."""
        ...

    def join(self, device: Device, timeout_s: float) -> ProcessGroup:
        """The team of the processes that a launcher of this framework started.

        One that does not answer for `timeout_s` is given up. ValueError where several
        processes cannot train together on this device.
        """
        ...

    def candidates(
        self, architecture: Architecture, recipe: Recipe, device: Device
    ) -> Mapping[str, Sequence[Any]]:
        """Values worth timing by field of Settings, fields in the order to try them in.

        The first value of each is the plain one, which is right wherever anything is; numbers
        come in an order in which one that loses makes the next not worth trying.
        """
        ...

    def prepare(self, device: Device, settings: ExecutionConfig) -> Mapping[str, Any]:
        """Set what the whole process shares, threads say; facts of it. An engine does it, too."""
        ...

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        """Measured matrix-product rate in GFLOP/s; None where the precision does not exist."""
        ...

    def versions(self) -> dict[str, str]: ...


class Architecture(Protocol):
    """A folder under `architectures` or anywhere else, as its `__init__.py` presents it."""

    NAME: str
    LIKELIHOOD: Likelihood
    RECIPES: Mapping[str, Mapping[str, Mapping[str, Any]]]  # name -> {"model": {}, "recipe": {}}
    PARAM_GROUPS: Sequence[tuple[str, str]]  # (name pattern, "matrix" | "embedding" | "vector")
    Config: type[ModelConfig]
    EPOCHS: int | None  # training is over after so many rounds through the documents
    PRESETS: Mapping[str, Mapping[str, Any]]  # name -> fields of Config; `--params` takes them
    RECIPE_FIELDS: Sequence[str] | None  # what of a recipe has an effect; None: all of it

    def for_params(self, target: int, vocab: int, **fixed: Any) -> ModelConfig:
        """The configuration within 3 % of `target` parameters; at most `target` if counted."""
        ...

    def preset(self, name: str, vocab: int, **fixed: Any) -> ModelConfig:
        """The configuration that one of PRESETS names; fields in `fixed` win."""
        ...

    def forward_flops(self, config: ModelConfig, rare_share: float) -> Mapping[str, float] | None:
        """FLOP of a forward pass per token, by part; None where the architecture does not say.

        `rare_share` of the targets need the rare half of a softmax of two levels.
        """
        ...

    def initial(self, config: ModelConfig, seed: int) -> Weights:
        """Initial weights by name, drawn in NumPy so that every framework starts the same."""
        ...

    def backends(self) -> list[str]:
        """The backends that it is written for."""
        ...

    def model(self, backend: str) -> type:
        """The model class for a backend; ValueError where it is not written."""
        ...

    def warnings(self, device: Device) -> tuple[str, ...]:
        """What a person should know before racing it on this device, such as a slower path."""
        ...

    def plugin_errors(self) -> contextlib.AbstractContextManager[None]:
        """Inside it, what code from outside the project raises becomes one line naming it."""
        ...

    # A bound (diffusion) has these too, in NumPy.

    def q_sample(
        self,
        config: ModelConfig,
        rows: Rows,
        shares: NDArray[np.float64],
        rng: np.random.Generator,
        prefix_length: int | None = None,
    ) -> NoisedBatch:
        """Rows under noise, at places `shares` [rows] in (0, 1] of the noise process.

        For training; or, with the first `prefix_length` targets as context, for scoring: then the
        architecture may draw some steps more often and weight their terms less.
        """
        ...

    def p_sample(
        self,
        config: ModelConfig,
        tokens: NDArray[np.int32],
        prefix_length: int,
        num_steps: int,
        probs: Callable[[NDArray[np.int32], int], NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> NDArray[np.int32]:
        """Draw tokens [length] after the first `prefix_length` by the reverse process.

        `probs(noisy, step)` are the model's probabilities [length, vocab] of the clean tokens.
        """
        ...
