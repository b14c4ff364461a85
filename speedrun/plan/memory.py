"""Memory of a plan: the figures of the estimate, and whether it fits."""

from typing import Any

from speedrun.models import memory
from speedrun.models.memory import ACTIVATION_FACTOR, CHECKPOINT_FACTOR, LOGIT_COPIES, Memory
from speedrun.plan.hardware import Hardware
from speedrun.plan.report import Figure, Verdict
from speedrun.plan.request import PlanRequest
from speedrun.text import size

_STATES = {
    "adamw": "two fp32 moments",
    "adamw8bit": "two 8-bit moments",
    "sgd": "fp32 momentum",
    "muon": "one fp32 moment for matrices, two for the rest",
}
MARGIN = 0.30  # of what a device has, left free
INFERENCE = 1.2  # times the weights (Anthony et al. 2023)


def figures(held: Memory, request: PlanRequest) -> list[Figure]:
    """The parts of the memory, their sum, and what would save some."""
    model: Any = request.model
    rows, active = request.batch_rows, held.activations
    N = request.num_params + request.num_tables
    per_value = 2 if held.is_mixed else memory.MASTER_BYTES
    master = "an fp32 master copy" if held.is_mixed else "fp32 weights double as the master copy"
    kept = f", {held.states / N:.3g} where gradients are kept" if held.is_mixed else ""
    of_optimizer = f"{held.optimizer / N:.3g} bytes · N ({_STATES[request.optimizer]}; {master})"
    of_activations, spared = "", None
    if active is not None:
        of_activations, share = _activations(request, f"{per_value} bytes")
        spared = active * (1 - share) if share < 1 else None
    of_logits = f"batch · context · vocab {model.vocab} · 4 bytes · {LOGIT_COPIES} copies"
    found: list[tuple[str, str, float | None, str]] = [
        ("weights", "weights", held.weights, f"{per_value} bytes · N"),
        ("gradients", "gradients", held.gradients, f"{held.gradients / N:.3g} bytes · N"),
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
            *("checkpointed", "checkpointing saves", spared),
            "--set recipe.activation_checkpointing=true, for one more forward pass",
        ),
    ]
    return [
        Figure(f"{key}_bytes", label, value, size, how)
        for key, label, value, how in found
        if value is not None
    ]


def _activations(request: PlanRequest, per_value: str) -> tuple[str, float]:
    """The formula of the activations, and the share that checkpointing would keep of them."""
    model: Any = request.model
    D, is_checkpointed = model.depth, request.recipe.activation_checkpointing
    factors = f"depth {D} · {ACTIVATION_FACTOR}"
    if is_checkpointed:
        factors = f"({ACTIVATION_FACTOR} + depth {D} · {CHECKPOINT_FACTOR})"
    now, kept = (
        memory.activation_factor(D, is_checkpointed=is_so) for is_so in (is_checkpointed, True)
    )
    rows = f"batch {request.batch_rows} · context {model.context} · width {model.width}"
    return f"{rows} · {per_value} · {factors} (measured)", kept / now


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
