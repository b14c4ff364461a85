"""The model of a plan, and what it holds in memory."""

import dataclasses
from typing import Any

from speedrun.plan import memory
from speedrun.plan.hardware import Hardware
from speedrun.plan.request import Question
from speedrun.plan.sheet import GO, NO_GO, UNKNOWN, Sheet, Verdict
from speedrun.text import count, size

PUBLISHED = {"tiny": 5e6, "small": 17e6, "medium": 85e6}  # what presets are called elsewhere
_SHARDS = 8
_SHAPE = ("width", "depth", "heads", "hidden", "context", "vocab")


def add_model(sheet: Sheet, question: Question) -> None:
    """Shape and exact counts; of a preset beside the published ones."""
    model = question.model
    shape = {name: getattr(model, name) for name in _SHAPE if hasattr(model, name)}
    text = ", ".join(f"{name} {value}" for name, value in shape.items())
    for name, value in shape.items():
        sheet.add("model", name, "", value, "", f"model.{name}")
    sheet.add("model", "shape", "shape", text, "", text)
    sheet.add(
        "model",
        "num_params",
        "parameters",
        question.num_params,
        f"{question.num_params:,}",
        "N in all formulas, " + ("counted" if question.preset else "as asked for"),
    )
    for key, counted in _counts(model).items():
        label = f"counted, {key}" if key in ("tied", "untied") else "counted"
        formula = {
            "tied": "the output weights are the embedding's",
            "untied": "output weights of their own, model.tied=false",
        }.get(key, f"of this {question.architecture.NAME}")
        sheet.add("model", f"num_params_{key}", label, counted, f"{counted:,}", formula)
    inner = model.num_params_non_embedding
    sheet.add(
        "model",
        "num_params_non_embedding",
        "without tables",
        inner,
        f"{inner:,}",
        "what tokens are not looked up in",
    )
    if question.preset in PUBLISHED:
        published = PUBLISHED[question.preset]
        sheet.add(
            "model",
            "published_params",
            "published as",
            published,
            count(published),
            f"the size that {question.preset!r} is called by",
        )


def _counts(model: Any) -> dict[str, int]:
    """Exact parameters, tied and untied where the architecture has the choice."""
    if not isinstance(getattr(model, "tied", None), bool):
        return {"exact": model.num_params}
    both = (("tied", True), ("untied", False))
    return {key: dataclasses.replace(model, tied=tied).num_params for key, tied in both}


def add_memory(sheet: Sheet, question: Question, hardware: Hardware) -> None:
    """Weights, gradients, states, activations; what would save some; whether it fits."""
    N, dtype = question.num_params, hardware.dtype
    num_matrix = question.model.num_params_non_embedding
    held = memory.state(N, num_matrix, dtype, question.optimizer)
    per_value = memory.BYTES[dtype]
    _add(sheet, "weights_bytes", "weights", held.weights, f"{per_value} bytes · N ({dtype})")
    _add(sheet, "gradients_bytes", "gradients", held.gradients, f"{per_value} bytes · N")
    _add(
        sheet,
        "optimizer_bytes",
        "optimizer states",
        held.optimizer,
        _optimizer_formula(question.optimizer, held, num_matrix),
    )
    least = f"{held.total / N:.3g} bytes · N"
    if held.is_mixed:
        least = f"{held.least / N:.3g} bytes · N, {held.total / N:.3g} where gradients are kept"
    _add(sheet, "states_least_bytes", "before activations", held.least, least)
    active, logits = _add_activations(sheet, question, hardware)
    program = memory.PROGRAM_BYTES if hardware.is_processor else 0.0
    if program:
        _add(
            sheet,
            "program_bytes",
            "the program",
            program,
            "PyTorch and what reads the data, measured in races",
        )
    total = held.total + active + logits + program
    _add(sheet, "total_bytes", "training needs", total, "the sum, gradients kept")
    _add(
        sheet,
        "inference_bytes",
        "inference needs",
        memory.INFERENCE * held.weights,
        f"{memory.INFERENCE} · weights (Anthony et al. 2023)",
    )
    _add_savings(sheet, question, held, active)
    _judge(sheet, question, hardware, total, active + logits)


def _add(sheet: Sheet, key: str, label: str, num_bytes: float, formula: str) -> None:
    sheet.add("memory", key, label, num_bytes, size(num_bytes), formula)


def _optimizer_formula(optimizer: str, held: memory.State, num_matrix: int) -> str:
    own = memory.OPTIMIZER_BYTES[optimizer]
    if optimizer == "muon":
        table = f"{own} bytes for {count(num_matrix)} in matrices, 12 (AdamW) for the others"
    else:
        table = f"{own} bytes · N of {optimizer}"
    copy = "4 of them the fp32 master copy" if held.is_mixed else "less 4: fp32 weights are it"
    return f"{table}, {copy}"


def _add_activations(sheet: Sheet, question: Question, hardware: Hardware) -> tuple[float, float]:
    """Activations and logits in bytes; 0 with a note where the model has no width or depth."""
    model: Any = question.model
    rows, dtype = question.batch_rows, hardware.dtype
    logits = 0.0 if hardware.is_processor else memory.logits(rows, model.context, model.vocab)
    if not (hasattr(model, "width") and hasattr(model, "depth")):
        sheet.notes.append(
            f"{question.architecture.NAME} has no model.width or model.depth: its activations"
            " are left out."
        )
        return 0.0, logits
    active = memory.activations(rows, model.context, model.width, model.depth, dtype)
    _add(
        sheet,
        "activations_bytes",
        "activations",
        active,
        f"batch {rows} · context {model.context} · width {model.width} · depth {model.depth} ·"
        f" {memory.BYTES[dtype]} bytes · {memory.ACTIVATION_FACTOR} (measured)",
    )
    sheet.add("memory", "activation_factor", "", memory.ACTIVATION_FACTOR, "", "measured, fp32")
    if logits:
        _add(
            sheet,
            "logits_bytes",
            "logits",
            logits,
            f"batch · context · vocab {model.vocab} · 4 bytes · {memory.LOGIT_COPIES} copies",
        )
    return active, logits


def _add_savings(sheet: Sheet, question: Question, held: memory.State, active: float) -> None:
    rows = question.batch_rows
    if active and rows > 1:
        _add(
            sheet,
            "accumulated_bytes",
            "accumulation saves",
            active * (1 - 1 / rows),
            f"activations · (1 - 1/{rows}): one row at a time, more passes",
        )
    if active:
        _add(
            sheet,
            "checkpointed_bytes",
            "checkpointing saves",
            active * (1 - 1 / memory.CHECKPOINTED),
            f"about 1/{memory.CHECKPOINTED} of the activations left for about"
            f" {memory.CHECKPOINT_COMPUTE:g}x compute (one more forward pass alone: 8/6)",
        )
    for stage, left in enumerate(memory.sharded(held, _SHARDS), start=1):
        what = ("optimizer", "and gradients", "and weights")[stage - 1]
        _add(
            sheet,
            f"zero{stage}_saved_bytes",
            f"ZeRO {stage} saves",
            held.total - left,
            f"a device, {what} sharded over {_SHARDS} (Rajbhandari et al. 2020)",
        )


def _judge(
    sheet: Sheet, question: Question, hardware: Hardware, total: float, of_rows: float
) -> None:
    """Against the memory less the margin; `of_rows` bytes of the total grow with the batch."""
    usable = memory.usable(hardware.memory_bytes)
    _add(sheet, "device_bytes", "the device has", hardware.memory_bytes, hardware.memory_formula)
    keep = f"{1 - memory.MARGIN:.0%}"
    _add(
        sheet, "usable_bytes", "of which usable", usable, f"{keep}: a margin of {memory.MARGIN:.0%}"
    )
    why = f"needs {size(total)}, usable are {size(usable)} ({keep} of"
    why += f" {size(hardware.memory_bytes)})"
    is_whole = "activations_bytes" in {figure.key for figure in sheet.of("memory")}
    if is_whole:
        per_row = of_rows / question.batch_rows
        rows = max(0, int((usable - (total - of_rows)) / per_row))
        sheet.add(
            "memory",
            "largest_batch",
            "largest batch",
            rows,
            f"{rows:,} rows",
            f"(usable - what a batch does not change) / {size(per_row)} a row",
        )
        if total > usable:
            why += f"; --batch {rows} fits" if rows else "; not even one row fits"
    answer = NO_GO if total > usable else GO if is_whole else UNKNOWN
    sheet.verdicts.append(Verdict("memory", answer, why, total, usable))
