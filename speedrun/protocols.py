"""Interfaces: a backend makes engines for the trainer, an architecture makes models for a backend.

NumPy arrays cross them, tensors never: one trainer serves every framework.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from speedrun.arrays import EngineState as EngineState
from speedrun.arrays import NoisedBatch as NoisedBatch
from speedrun.arrays import Rows as Rows
from speedrun.arrays import Weights as Weights
from speedrun.config import ModelConfig, Recipe
from speedrun.device import DEFAULT_EXECUTION, Device, ExecutionConfig, Profile
from speedrun.distributed.group import ProcessGroup

Likelihood = Literal["exact", "bound"]


class OutOfMemory(MemoryError):
    """The device ran out of memory in a step; nothing of that step was applied."""


class UnfairModelError(ValueError):
    """The model breaks a rule without which its score does not count."""


class Reader(Protocol):
    """A model that reads one text and predicts its next token."""

    def feed(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logits [vocab] of the token after `tokens` [length], which follow those fed before."""
        ...


class Engine(Protocol):
    """A model in training on one device. Compilation, precision and placement live here."""

    def step(self, rows: Rows, lr_scale: float) -> None:
        """Enqueue one training step; raises OutOfMemory with weights untouched."""

    def sync(self) -> None:
        """Wait until the device has finished."""

    def finalize_s(self) -> float:
        """Upper estimate of the seconds that `finalize` would take now; 0 where nothing is left."""
        ...

    def finalize(self) -> None:
        """Do the work that training has put off; on the clock, after the last step."""

    def train_loss(self) -> float:
        """Mean loss in nats per token over the steps since the last call; synchronises."""
        ...

    def nll(
        self,
        rows: Rows,
        seed: int,
        prefix_length: int = 0,
        timesteps: NDArray[np.float64] | None = None,
        where: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Negative log-likelihood in nats of each target [rows, context], computed in fp32.

        An exact model ignores all but `where` [rows, context]: other targets may be given as 0.
        Of a diffusion model these are one draw of the NELBO for each row, unbiased over `seed`
        and over `timesteps` [rows], uniform in (0, 1] (None: stratified). The first
        `prefix_length` targets are context: without noise, and at no cost.
        """
        ...

    def logits(
        self, tokens: NDArray[np.int32], steps: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Logits [rows, length, vocab] of next tokens, or of clean ones at noise `steps`."""
        ...

    def reader(self) -> Reader:
        """An exact model at the start of a text, for sampling.

        A token costs one token's work where the architecture has a cache, else a pass over the
        whole text. Of a text longer than the context it sees the last `context` tokens. The
        weights must not change while it reads.
        """
        ...

    def weights(self) -> Weights:
        """Copies of the parameters, and of the buffers that `initial` gives, by name."""
        ...

    def load(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the parameters; ValueError where names or shapes differ."""

    def reset(self) -> None:
        """Restore initial weights, buffers, optimizer and the process's random state."""

    def state(self) -> EngineState | None:
        """Copies of the state after a step, for a checkpoint; None where there are none.

        The same on all ranks.
        """
        ...

    def random_state(self) -> dict[str, Any]:
        """The random state of this rank's process, as JSON can hold it."""
        ...

    def restore(self, state: EngineState, random_state: Mapping[str, Any]) -> None:
        """Go on from a state of the same model, recipe and device; ValueError for any other."""

    def rebuilt(self) -> Engine:
        """A new engine of these weights, to score, as it is made from a saved run.

        The architecture's code is executed again and the model built anew: buffers outside
        `weights`, attributes, globals and caches of this engine are not in it.
        """
        ...

    def halve_micro_batch(self) -> int:
        """Halve the rows of one forward pass; the new size. OutOfMemory where it is 1 already."""
        ...

    def peak_bytes(self) -> int:
        """Most memory that was in use so far."""
        ...

    def metadata(self) -> dict[str, Any]:
        """Facts for the record: precision, micro-batch, compilation, threads, fallbacks."""
        ...


class Profiled(Protocol):
    """An engine of one process that can be profiled, for `bench`."""

    def profile(self, batches: Sequence[Rows]) -> Profile:
        """Train on these batches, a step each or a few, and time the parts of a step."""
        ...


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """Settings of an engine; each rank of a `group` trains on its share of a step's rows."""

    architecture: Architecture
    config: ModelConfig
    recipe: Recipe
    device: Device
    seed: int = 0
    group: ProcessGroup = field(default_factory=ProcessGroup)
    execution: ExecutionConfig = DEFAULT_EXECUTION


class Backend(Protocol):
    """A framework: a folder under `speedrun/backends`."""

    def devices(self) -> Sequence[Device]:
        """Devices that it drives, with the reason where one is not available."""
        ...

    def engine(self, spec: EngineSpec) -> Engine:
        """A new engine; ValueError where the spec cannot be met on its device."""
        ...

    def check(self, recipe: Recipe, device: Device) -> None:
        """Raise ValueError where the device cannot follow a recipe; before data are opened."""

    def join(self, device: Device, timeout_s: float) -> ProcessGroup:
        """The group of the processes that a launcher of this framework started.

        A process that does not answer for `timeout_s` is given up. ValueError where several
        processes cannot train together on this device.
        """
        ...

    def candidates(
        self, architecture: Architecture, recipe: Recipe, device: Device
    ) -> Mapping[str, Sequence[Any]]:
        """Values worth timing by field of ExecutionConfig, fields in the order to try them in.

        The first value of each is the plain one, which works wherever anything does; numbers
        come in an order in which one that loses makes the next not worth trying.
        """
        ...

    def prepare(self, device: Device, execution: ExecutionConfig) -> Mapping[str, Any]:
        """Set what a process shares, such as threads, as a new engine does; facts to record."""
        ...

    def free_bytes(self, device: Device) -> int:
        """Memory that the device could still give to this process."""
        ...

    def matmul_gflops(self, device: Device, precision: str) -> float | None:
        """Measured matrix-product rate in GFLOP/s; None where the precision does not exist."""
        ...

    def sustained_gflops(self, device: Device) -> Callable[[], float | None]:
        """A function that measures the usual fp32 rate for a while: low where others disturb it.

        None where memory is short. Two measurements of one function compare.
        """
        ...

    def versions(self) -> dict[str, str]:
        """Versions of the framework by package name."""
        ...


class Architecture(Protocol):
    """A folder under `architectures` or anywhere else, as its `__init__.py` presents it."""

    NAME: str
    LIKELIHOOD: Likelihood
    RECIPES: Mapping[str, Mapping[str, Mapping[str, Any]]]  # name -> {"model": {}, "recipe": {}}
    PARAM_GROUPS: Sequence[tuple[str, str]]  # (name pattern, "matrix", "table" and so on)
    Config: type[ModelConfig]
    EPOCHS: int | None  # training ends after so many epochs; None: the budget decides
    PRESETS: Mapping[str, Mapping[str, Any]]  # name -> fields of Config; `--params` takes them
    RECIPE_FIELDS: Sequence[str] | None  # fields of a recipe that have an effect; None: all

    def for_params(self, target: int, vocab: int, **fixed: Any) -> ModelConfig:
        """The configuration within 3 % of `target` parameters; at most `target` if counted."""
        ...

    def preset(self, name: str, vocab: int, **fixed: Any) -> ModelConfig:
        """The configuration of a preset; fields in `fixed` win."""
        ...

    def forward_flops(self, config: ModelConfig, tail_share: float) -> Mapping[str, float] | None:
        """FLOP of a forward pass per token, by part; None where the architecture has no count.

        `tail_share` of the targets need the tail of a softmax of two levels.
        """
        ...

    def initial(self, config: ModelConfig, seed: int) -> Weights:
        """Initial weights by name, drawn in NumPy so that every framework starts the same."""
        ...

    def backends(self) -> list[str]:
        """Names of the backends that it has a model for."""
        ...

    def model(self, backend: str) -> type:
        """The model class for a backend; ValueError where there is none."""
        ...

    def imported_anew(self) -> Self:
        """The architecture from newly executed modules: nothing that they kept is in it."""
        ...

    def warnings(self, device: Device) -> tuple[str, ...]:
        """Warnings before a run on this device, such as that a slower path is taken."""
        ...

    def plugin_errors(self) -> contextlib.AbstractContextManager[None]:
        """Inside it errors of code from outside the project are attributed to it, in one line."""
        ...

    # A diffusion model has these too, in NumPy.

    def q_sample(
        self,
        config: ModelConfig,
        rows: Rows,
        timesteps: NDArray[np.float64],
        rng: np.random.Generator,
        prefix_length: int | None = None,
    ) -> NoisedBatch:
        """Rows under noise, a draw from q(x_t | x_0) at `timesteps` [rows] in (0, 1].

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
        """Sample tokens [length] after the first `prefix_length` by the reverse process.

        `probs(noisy, step)` are the model's probabilities [length, vocab] of the clean tokens.
        """
        ...
