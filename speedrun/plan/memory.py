"""Memory that training holds, in bytes, before anything is allocated."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from speedrun.plan.hardware import Hardware
from speedrun.plan.report import Figure, Verdict
from speedrun.plan.request import PlanRequest
from speedrun.text import size

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# Bytes per parameter of optimizer state, the fp32 master copy (4) included: Anthony et al. 2023
# ("Transformer Math 101") for all but Muon, whose matrices have one moment (Jordan et al. 2024).
OPTIMIZER_BYTES = {"adamw": 12, "adamw8bit": 6, "sgd": 8, "muon": 8}
_STATES = {
    "adamw": "two fp32 moments",
    "adamw8bit": "two 8-bit moments",
    "sgd": "fp32 momentum",
    "muon": "one fp32 moment for matrices, two for the rest",
}
MASTER_BYTES = 4
# Values kept for the backward pass, per channel of the stream and layer. Measured as peak
# resident memory against rows, PyTorch on a processor, fp32: 38 (10M, `tiny`) to 50 (250K),
# compiled 47 to 54. Korthikanti et al. 2022 (equation 1) count 17 for GPT's plain layers.
ACTIVATION_FACTOR = 46
# A cross-entropy on an accelerator holds logits, both levels' parts and the gradient, in fp32.
LOGIT_COPIES = 4
# The program before the first step: 320 MB with PyTorch alone, and what reads the data in a race.
PROGRAM_BYTES = 460e6
MARGIN = 0.30  # of what a device has, left free
INFERENCE = 1.2  # times the weights (Anthony et al. 2023)
CHECKPOINTED = 5  # times less activations, as commonly given


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of a training by purpose; `activations` is None where the shape is not known."""

    weights: float
    gradients: float
    optimizer: float
    activations: float | None = None
    logits: float = 0.0
    program: float = 0.0
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
        return self.states + (self.activations or 0.0) + self.logits + self.program


def states(num_params: float, num_matrix: float, dtype: str, optimizer: str) -> Memory:
    """Weights, gradients and optimizer states; Muon trains `num_matrix` of the weights.

    In fp32 the weights are their own master copy: AdamW has 4 + 4 + 8 = 16 bytes per parameter.
    Mixed precision has 2 + 2 + 12 = 16, or 14 without gradients.
    """
    is_mixed = BYTES[dtype] < MASTER_BYTES
    held = num_params * (OPTIMIZER_BYTES[optimizer] - (0 if is_mixed else MASTER_BYTES))
    if optimizer == "muon":
        held += (num_params - num_matrix) * (OPTIMIZER_BYTES["adamw"] - OPTIMIZER_BYTES["muon"])
    per_copy = num_params * BYTES[dtype]
    return Memory(weights=per_copy, gradients=per_copy, optimizer=held, is_mixed=is_mixed)


def activations(batch_rows: int, model: Any, dtype: str) -> float | None:
    """batch · context · width · depth · bytes · `ACTIVATION_FACTOR`; None for another shape."""
    if not (hasattr(model, "width") and hasattr(model, "depth")):
        return None
    per_row = model.context * model.width * model.depth
    return batch_rows * per_row * BYTES[dtype] * ACTIVATION_FACTOR


def estimate(request: PlanRequest, on: Hardware) -> Memory:
    """Memory of a plan; the logits of all targets are made at once on accelerators only."""
    model, rows = request.model, request.batch_rows
    logits = rows * model.context * model.vocab * 4.0 * LOGIT_COPIES
    num_matrix = model.num_params_non_embedding
    return dataclasses.replace(
        states(request.num_params, num_matrix, on.dtype, request.optimizer),
        activations=activations(rows, model, on.dtype),
        logits=0.0 if on.is_processor else logits,
        program=PROGRAM_BYTES if on.is_processor else 0.0,
    )


def figures(held: Memory, request: PlanRequest) -> list[Figure]:
    """The parts of the memory, their sum, and what would save some."""
    model: Any = request.model
    N, rows, active = request.num_params, request.batch_rows, held.activations
    per_value = 2 if held.is_mixed else MASTER_BYTES
    master = "an fp32 master copy" if held.is_mixed else "fp32 weights double as the master copy"
    kept = f", {held.states / N:.3g} where gradients are kept" if held.is_mixed else ""
    of_optimizer = f"{held.optimizer / N:.3g} bytes · N ({_STATES[request.optimizer]}; {master})"
    of_activations = (
        ""
        if active is None
        else (
            f"batch {rows} · context {model.context} · width {model.width} · depth {model.depth}"
            f" · {per_value} bytes · {ACTIVATION_FACTOR} (measured)"
        )
    )
    of_logits = f"batch · context · vocab {model.vocab} · 4 bytes · {LOGIT_COPIES} copies"
    found: list[tuple[str, str, float | None, str]] = [
        ("weights", "weights", held.weights, f"{per_value} bytes · N"),
        ("gradients", "gradients", held.gradients, f"{per_value} bytes · N"),
        ("optimizer", "optimizer states", held.optimizer, of_optimizer),
        (
            *("states_least", "before activations", held.least_states),
            f"{held.least_states / N:.3g} bytes · N{kept}",
        ),
        ("activations", "activations", active, of_activations),
        ("logits", "logits", held.logits or None, of_logits),
        (
            *("program", "the program", held.program or None),
            "PyTorch and the data loader, measured in races",
        ),
        ("total", "training needs", held.total, "the sum, gradients kept"),
        (
            *("inference", "inference needs", INFERENCE * held.weights),
            f"{INFERENCE} · weights (Anthony et al. 2023)",
        ),
        (
            *("accumulated", "accumulation saves", active and active * (1 - 1 / rows)),
            f"activations · (1 - 1/{rows}): micro-batches of one row",
        ),
        (
            *("checkpointed", "checkpointing saves", active and active * (1 - 1 / CHECKPOINTED)),
            f"about 1/{CHECKPOINTED} of the activations is kept, for one more forward pass",
        ),
    ]
    return [
        Figure(f"{key}_bytes", label, value, size, how)
        for key, label, value, how in found
        if value is not None
    ]


def judge(held: Memory, request: PlanRequest, on: Hardware) -> tuple[list[Figure], Verdict]:
    """The device's memory less the margin, the largest batch, and whether training fits."""
    limit, total, keep = (1 - MARGIN) * on.memory_bytes, held.total, f"{1 - MARGIN:.0%}"
    found = [
        Figure("device_bytes", "the device has", on.memory_bytes, size, on.memory_source),
        Figure("usable_bytes", "of which usable", limit, size, f"{keep}: a margin of {MARGIN:.0%}"),
    ]
    why = f"needs {size(total)}, usable are {size(limit)} ({keep} of {size(on.memory_bytes)})"
    if held.activations is not None:
        per_row = (held.activations + held.logits) / request.batch_rows
        rows = max(0, int((limit - total) / per_row + request.batch_rows))
        how = f"(usable - what a batch does not change) / {size(per_row)} per row"
        found.append(Figure("largest_batch", "largest batch", rows, "{:,} rows".format, how))
        if total > limit:
            why += f"; --batch {rows} fits" if rows else "; not even one row fits"
    return found, Verdict("memory", why, total, limit, is_all=held.activations is not None)
