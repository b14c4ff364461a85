"""From options to a plan."""

import dataclasses
from typing import Any

from speedrun.backends import registry
from speedrun.models import flops
from speedrun.models import memory as estimated
from speedrun.plan import cluster, compute, hardware, hints, memory, probe, request
from speedrun.plan.compute import Work
from speedrun.plan.hardware import Hardware
from speedrun.plan.report import NO_GO, Figure, Plan, plain
from speedrun.plan.request import Options, PlanRequest
from speedrun.scaling_laws import laws_file
from speedrun.system import hardware as machine
from speedrun.text import count

BUSY = 0.5  # load per core before anything is measured; `doctor` warns there too
PUBLISHED = {"tiny": 5e6, "small": 17e6, "medium": 85e6}  # what presets are called elsewhere
_SHAPE = ("width", "depth", "heads", "hidden", "context", "vocab")
_OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon", "sgd": "SGD", "adamw8bit": "8-bit AdamW"}


def make_plan(options: Options) -> Plan:
    """Work out a whole plan; raises ValueError or LookupError for a wrong option."""
    load = machine.load_per_core() or 0.0
    asked = request.resolve(options)
    on = hardware.choose(asked)
    with asked.architecture.plugin_errors():
        plan = _plan(asked, on)
    if on.here is not None and load > BUSY:
        plan.notes.append(
            f"This machine is busy (load {load:.1f} per core): rates measured now are too low."
        )
    return plan


def _plan(request: PlanRequest, on: Hardware) -> Plan:
    name = request.preset or count(request.num_params)
    if request.num_tables:
        name += f" and {count(request.num_tables)} in tables"
    plan = Plan(title=f"{request.architecture.NAME} {name} on {on.title}")
    num_params = request.num_params + request.num_tables
    method = request.method(on.dtype)
    held = estimated.estimate(
        request.model, num_params, request.batch_rows, method, is_processor=on.is_processor
    )
    of_device, verdict = memory.judge(held, request, on)
    work = _work(request, on, verdict.why if verdict.answer == NO_GO else "")
    judge = hints.judge_race if request.is_race else compute.judge
    plan.verdicts += [verdict, *judge(work)]
    plan.sections |= {
        "model": _model_figures(request),
        "memory": memory.figures(held, request) + of_device,
        "compute": compute.compute_figures(work),
        "time": compute.time_figures(work),
        "data": hints.data_figures(work),
        "hints": hints.hint_figures(work),
        "go_small": hints.go_small_figures(work),
    }
    plan.notes += [note for note in (on.note, *_notes(request)) if note]
    if request.options.cluster is not None:
        cluster.add(plan, work)
    return plan


def _work(request: PlanRequest, on: Hardware, too_large: str) -> Work:
    """The training, with the rate that it reaches here instead of an assumed one if asked."""
    if not request.options.measure or on.here is None:
        return Work(request, on, probe=None)
    if too_large:
        raise ValueError(f"--measure: would not fit this machine, {too_large}")
    found = probe.measure(request, on.here)
    on = dataclasses.replace(
        on,
        spec_flop_s=max(on.spec_flop_s, found.matmul_flop_s),
        effective_flop_s=flops.train_flop(request.num_params, found.tokens_per_s),
        effective_source="6·N · tokens/s, measured just now",
    )
    return Work(request, on, found)


def _model_figures(request: PlanRequest) -> list[Figure]:
    """Shape and exact counts; of a preset beside the published ones."""
    model: Any = request.model
    shape = ", ".join(f"{name} {getattr(model, name)}" for name in _SHAPE if hasattr(model, name))
    how = "N in all formulas, " + ("counted" if request.preset else "as requested")
    found = [("num_params", "parameters", request.num_params, how)]
    if request.num_tables:
        rows = "beside N, in tables of n-grams: a step reads and changes few rows of them"
        found.append(("num_params_tables", "in tables", request.num_tables, rows))
    if isinstance(getattr(model, "tied", None), bool):
        tied, untied = (dataclasses.replace(model, tied=tied).num_params for tied in (True, False))
        own = "output weights of their own, model.tied=false"
        found += [
            ("num_params_tied", "counted, tied", tied, "the output weights are the embedding's"),
            ("num_params_untied", "counted, untied", untied, own),
        ]
    else:
        why = f"of this {request.architecture.NAME}"
        found.append(("num_params_exact", "counted", model.num_params, why))
    inner, why = model.num_params_non_embedding, "parameters outside lookup tables"
    found.append(("num_params_non_embedding", "without tables", inner, why))
    figures = [Figure(key, label, value, plain, why) for key, label, value, why in found]
    if published := PUBLISHED.get(request.preset or ""):
        why = f"the size after which {request.preset!r} is named"
        figures.append(Figure("published_params", "published as", published, count, why))
    return [Figure("shape", "shape", shape, lambda text: "", shape), *figures]


def _notes(request: PlanRequest) -> list[str]:
    """Remarks on what was left out or assumed."""
    found, name, trains_with = [], request.architecture.NAME, request.recipe.optimizer
    if estimated.activations(1, request.model, "fp32") is None:
        found.append(f"{name} has no model.width or model.depth: its activations are left out.")
    if request.optimizer != trains_with:
        found.append(
            f"Memory is computed for {_OPTIMIZERS[request.optimizer]}; the default recipe uses"
            f" {_OPTIMIZERS[trains_with]} (pass --optimizer {trains_with})."
        )
    if request.law is not None and request.options.law is not None:
        device, fitted = registry.device("auto"), request.law.hardware_class
        here = machine.hardware_class(machine.machine(), device.name, device.accelerator)
        if fitted != here:
            found.append(f"Warning: the law was fitted on {fitted}; this machine is {here}.")
        settings = laws_file.settings_beside(request.options.law)
        if warning := laws_file.misfit(request.law, request.architecture, settings):
            found.append(f"Warning: {warning}.")
    return found
