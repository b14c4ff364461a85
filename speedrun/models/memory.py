"""Memory that training holds, in bytes, before anything is allocated."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from speedrun.config import ModelConfig, Recipe, num_params_tables

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Bytes per parameter of optimizer state, the fp32 master copy (4) included: Anthony et al. 2023
# ("Transformer Math 101") for all but Muon, whose matrices have one moment (Jordan et al. 2024);
# of 8-bit moments 256 numbers share an fp32 scale.
OPTIMIZER_BYTES = {"adamw": 12, "adamw8bit": 6 + 2 * 4 / 256, "sgd": 8, "muon": 8}
MASTER_BYTES = 4
# Of tables whose rows are updated alone, the optimizer keeps two fp32 numbers a row of, say, 64.
TABLE_OPTIMIZER_BYTES = 0.125
# Values kept for the backward pass, per channel of the stream and layer. Measured as peak
# resident memory against rows, PyTorch on a processor, fp32: 38 (10M, `tiny`) to 50 (250K),
# compiled 47 to 54. Korthikanti et al. 2022 (equation 1) count 17 for GPT's plain layers.
ACTIVATION_FACTOR = 46
# The same with activation checkpointing, of every block: its inputs, and what the allocator cannot
# use again between them; one block at a time has all. Measured on a processor: 92 in all at 2M and
# depth 4, 105 at 10M and depth 4, 160 at 2M and depth 10.
CHECKPOINT_FACTOR = 12
# A cross-entropy on an accelerator holds logits, both levels' parts and the gradient, in fp32.
LOGIT_COPIES = 4
# The program before the first step: 320 MB with PyTorch alone, and what reads the data in a race.
PROGRAM_BYTES = 460e6


# A race also keeps the initial weights, copies all of them for its checks and its files, and
# Muon stacks those of one shape: bytes per parameter.
COPY_BYTES = 12
# Of tables the checks hold four copies after training: three, and in a model that is made anew.
# Initial weights that are zeros are not held.
TABLE_COPY_BYTES = 16
# The fairness checks hold the logits of four rows several times, in fp32 and fp64: 60 bytes each.
CHECK_BYTES = 4 * 60


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of a training by purpose; `activations` is None where the shape is not known."""

    weights: float
    gradients: float
    optimizer: float
    activations: float | None = None
    logits: float = 0.0
    program: float = 0.0
    copies: float = 0.0  # of a race
    checks: float = 0.0  # of a race, before its first step
    is_mixed: bool  # half-precision weights with an fp32 master copy

    @property
    def states(self) -> float:
        """All that does not depend on the batch."""
        return self.weights + self.gradients + self.optimizer

    @property
    def least_states(self) -> float:
        """In mixed precision gradients can be applied at once, and none are kept."""
        return self.states - (self.gradients if self.is_mixed else 0.0)

    @property
    def total(self) -> float:
        """Everything, gradients kept."""
        in_turn = max((self.activations or 0.0) + self.logits, self.checks)
        return self.states + in_turn + self.program + self.copies


@dataclass(frozen=True, kw_only=True)
class Method:
    """Settings of a training that decide on its memory beside model and batch."""

    dtype: str  # of weights and activations
    optimizer: str
    is_checkpointed: bool = False  # activations are computed again in the backward pass


def states(
    num_params: float, num_matrix: float, dtype: str, optimizer: str, num_tables: float = 0.0
) -> Memory:
    """Weights, gradients and optimizer states; Muon trains `num_matrix` of the weights.

    In fp32 the weights are their own master copy: AdamW has 4 + 4 + 8 = 16 bytes per parameter.
    Mixed precision has 2 + 2 + 12 = 16, or 14 without gradients. `num_tables` of the parameters
    are in tables whose gradient is that of the rows of a step: little, and counted nowhere.
    """
    is_mixed, num_dense = BYTES[dtype] < MASTER_BYTES, num_params - num_tables
    master = MASTER_BYTES if is_mixed else 0
    held = num_dense * (OPTIMIZER_BYTES[optimizer] - MASTER_BYTES + master)
    if optimizer == "muon":
        held += (num_dense - num_matrix) * (OPTIMIZER_BYTES["adamw"] - OPTIMIZER_BYTES["muon"])
    held += num_tables * (TABLE_OPTIMIZER_BYTES + master)
    return Memory(
        weights=num_params * BYTES[dtype],
        gradients=num_dense * BYTES[dtype],
        optimizer=held,
        is_mixed=is_mixed,
    )


def activations(
    batch_rows: int, model: Any, dtype: str, *, is_checkpointed: bool = False
) -> float | None:
    """batch · context · width · bytes · `activation_factor`; None for another shape."""
    if not (hasattr(model, "width") and hasattr(model, "depth")):
        return None
    per_row = model.context * model.width
    factor = activation_factor(model.depth, is_checkpointed=is_checkpointed)
    return batch_rows * per_row * BYTES[dtype] * factor


def activation_factor(depth: int, *, is_checkpointed: bool) -> int:
    """Values kept per channel of the stream: `ACTIVATION_FACTOR` a block, or of one alone."""
    if is_checkpointed:
        return ACTIVATION_FACTOR + CHECKPOINT_FACTOR * depth
    return ACTIVATION_FACTOR * depth


def estimate(
    model: ModelConfig, num_params: float, num_rows: int, method: Method, *, is_processor: bool
) -> Memory:
    """Memory of steps of `num_rows`; accelerators alone make the logits of all targets at once."""
    logits = num_rows * model.context * model.vocab * 4.0 * LOGIT_COPIES
    num_matrix, num_tables = model.num_params_non_embedding, num_params_tables(model)
    dtype, is_checkpointed = method.dtype, method.is_checkpointed
    return dataclasses.replace(
        states(num_params, num_matrix, dtype, method.optimizer, num_tables),
        activations=activations(num_rows, model, dtype, is_checkpointed=is_checkpointed),
        logits=0.0 if is_processor else logits,
        program=PROGRAM_BYTES if is_processor else 0.0,
    )


def of_race(
    model: ModelConfig, recipe: Recipe, num_rows: int, precision: str, *, is_processor: bool
) -> Memory:
    """Memory of a race that takes `num_rows` at once: the initial weights and copies, too.

    In mixed precision the weights stay in fp32.
    """
    method = Method(
        dtype=precision, optimizer=recipe.optimizer, is_checkpointed=recipe.activation_checkpointing
    )
    in_steps = estimate(model, model.num_params, num_rows, method, is_processor=is_processor)
    num_matrix, num_tables = model.num_params_non_embedding, num_params_tables(model)
    held = states(model.num_params, num_matrix, "fp32", recipe.optimizer, num_tables)
    return dataclasses.replace(
        in_steps,
        weights=held.weights,
        gradients=held.gradients,
        optimizer=held.optimizer,
        copies=COPY_BYTES * (model.num_params - num_tables) + TABLE_COPY_BYTES * num_tables,
        checks=CHECK_BYTES * model.context * model.vocab if is_processor else 0.0,
    )
