"""Memory that training holds, in bytes, before anything is allocated."""

from dataclasses import dataclass
from typing import Any

from speedrun.plan.report import GO, NO_GO, UNKNOWN, Figure, Verdict, plain
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
    master = 0 if is_mixed else MASTER_BYTES  # already counted as weights
    held = num_params * (OPTIMIZER_BYTES[optimizer] - master)
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


def logits(batch_rows: int, model: Any) -> float:
    """Logits of all targets at once, as on accelerators."""
    return batch_rows * model.context * model.vocab * 4.0 * LOGIT_COPIES


def usable(memory_bytes: float) -> float:
    """The part of a device's memory that a plan may fill."""
    return (1 - MARGIN) * memory_bytes


def figures(
    memory: Memory, num_params: int, model: Any, batch_rows: int, optimizer: str
) -> list[Figure]:
    """The parts of the memory, their sum, and what would save some."""
    N, per_value = num_params, 2 if memory.is_mixed else MASTER_BYTES
    master = "an fp32 master copy" if memory.is_mixed else "fp32 weights double as the master copy"
    least = f"{memory.least_states / N:.3g} bytes · N"
    if memory.is_mixed:
        least += f", {memory.states / N:.3g} where gradients are kept"
    found = [
        ("weights", "weights", memory.weights, f"{per_value} bytes · N"),
        ("gradients", "gradients", memory.gradients, f"{per_value} bytes · N"),
        (
            "optimizer",
            "optimizer states",
            memory.optimizer,
            f"{memory.optimizer / N:.3g} bytes · N ({_STATES[optimizer]}; {master})",
        ),
        ("states_least", "before activations", memory.least_states, least),
    ]
    active = memory.activations
    if active is not None:
        product = f"context {model.context} · width {model.width} · depth {model.depth}"
        factors = f"batch {batch_rows} · {product} · {per_value} bytes · {ACTIVATION_FACTOR}"
        found.append(("activations", "activations", active, f"{factors} (measured)"))
    if memory.logits:
        product = f"batch · context · vocab {model.vocab} · 4 bytes · {LOGIT_COPIES} copies"
        found.append(("logits", "logits", memory.logits, product))
    if memory.program:
        program = "PyTorch and the data loader, measured in races"
        found.append(("program", "the program", memory.program, program))
    found.append(("total", "training needs", memory.total, "the sum, gradients kept"))
    inference = f"{INFERENCE} · weights (Anthony et al. 2023)"
    found.append(("inference", "inference needs", INFERENCE * memory.weights, inference))
    if active:
        saved = active * (1 - 1 / batch_rows)
        pieces = f"activations · (1 - 1/{batch_rows}): micro-batches of one row"
        found.append(("accumulated", "accumulation saves", saved, pieces))
        saved = active * (1 - 1 / CHECKPOINTED)
        some = f"about 1/{CHECKPOINTED} of the activations is kept, for one more forward pass"
        found.append(("checkpointed", "checkpointing saves", saved, some))
    return [Figure(f"{key}_bytes", label, value, size, how) for key, label, value, how in found]


def judge(
    memory: Memory, batch_rows: int, memory_bytes: float, source: str
) -> tuple[list[Figure], Verdict]:
    """The device's memory less the margin, the largest batch, and whether training fits."""
    limit, total, keep = usable(memory_bytes), memory.total, f"{1 - MARGIN:.0%}"
    found = [
        Figure("device_bytes", "the device has", memory_bytes, size, source),
        Figure("usable_bytes", "of which usable", limit, size, f"{keep}: a margin of {MARGIN:.0%}"),
    ]
    why = f"needs {size(total)}, usable are {size(limit)} ({keep} of {size(memory_bytes)})"
    if memory.activations is not None:
        per_row = (memory.activations + memory.logits) / batch_rows
        rows = max(0, int((limit - total) / per_row + batch_rows))
        how = f"(usable - what a batch does not change) / {size(per_row)} per row"
        found.append(Figure("largest_batch", "largest batch", rows, _rows, how))
        if total > limit:
            why += f"; --batch {rows} fits" if rows else "; not even one row fits"
    answer = NO_GO if total > limit else UNKNOWN if memory.activations is None else GO
    return found, Verdict("memory", answer, why, total, limit)


def _rows(number: float) -> str:
    return f"{plain(number)} rows"
