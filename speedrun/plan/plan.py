"""From options to a plan."""

import dataclasses
from typing import Any

from speedrun.backends import registry
from speedrun.models import flops
from speedrun.plan import cluster, compute, hardware, hints, memory, probe, request
from speedrun.plan.cluster import Cluster
from speedrun.plan.compute import Work
from speedrun.plan.hardware import Hardware
from speedrun.plan.memory import Memory
from speedrun.plan.probe import Probe
from speedrun.plan.report import NO_GO, Figure, Plan, plain
from speedrun.plan.request import Options, PlanRequest
from speedrun.system import hardware as machine
from speedrun.text import count

BUSY = 0.5  # load per core before anything is measured; `doctor` warns there too
PUBLISHED = {"tiny": 5e6, "small": 17e6, "medium": 85e6}  # what presets are called elsewhere
_SHAPE = ("width", "depth", "heads", "hidden", "context", "vocab")


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
    plan = Plan(title=f"{request.architecture.NAME} {name} on {on.title}")
    held = _memory(request, on)
    plan.sections["model"] = _model_figures(request)
    plan.sections["memory"] = memory.figures(
        held, request.num_params, request.model, request.batch_rows, request.optimizer
    )
    found, verdict = memory.judge(held, request.batch_rows, on.memory_bytes, on.memory_source)
    plan.sections["memory"] += found
    measured = None
    if request.options.measure and on.here is not None:
        if verdict.answer == NO_GO:
            raise ValueError(f"--measure: would not fit this machine, {verdict.why}")
        measured = probe.measure(request, on.here)
        on = _as_measured(request, on, measured)
    work = compute.work(request, on, measured)
    is_timed = request.wanted == "minutes"
    plan.verdicts += [verdict, *compute.judge(request, on, work)]
    plan.sections["compute"] = compute.compute_figures(work, is_timed=is_timed)
    plan.sections["time"] = compute.time_figures(work, on, is_measured=measured is not None)
    if measured is not None:
        counted = request.model.num_params
        plan.sections["time"] += compute.probe_figures(work, measured, counted)
    plan.sections["data"] = hints.data_figures(request, work)
    plan.sections["hints"], differs = hints.hint_figures(request, work)
    plan.sections["go_small"] = hints.go_small_figures(request, work)
    plan.notes += [*_notes(request, on, held), differs]
    if request.options.cluster is not None:
        _add_cluster(plan, request, work)
    return plan


def _memory(request: PlanRequest, on: Hardware) -> Memory:
    model, rows = request.model, request.batch_rows
    num_matrix = model.num_params_non_embedding
    return dataclasses.replace(
        memory.states(request.num_params, num_matrix, on.dtype, request.optimizer),
        activations=memory.activations(rows, model, on.dtype),
        logits=0.0 if on.is_processor else memory.logits(rows, model),
        program=memory.PROGRAM_BYTES if on.is_processor else 0.0,
    )


def _model_figures(request: PlanRequest) -> list[Figure]:
    """Shape and exact counts; of a preset beside the published ones."""
    model: Any = request.model
    shape = ", ".join(f"{name} {getattr(model, name)}" for name in _SHAPE if hasattr(model, name))
    how = "N in all formulas, " + ("counted" if request.preset else "as requested")
    found = [
        Figure("shape", "shape", shape, lambda text: "", shape),
        Figure("num_params", "parameters", request.num_params, plain, how),
    ]
    if isinstance(getattr(model, "tied", None), bool):
        for key, tied, why in (
            ("tied", True, "the output weights are the embedding's"),
            ("untied", False, "output weights of their own, model.tied=false"),
        ):
            number = dataclasses.replace(model, tied=tied).num_params
            found.append(Figure(f"num_params_{key}", f"counted, {key}", number, plain, why))
    else:
        why = f"of this {request.architecture.NAME}"
        found.append(Figure("num_params_exact", "counted", model.num_params, plain, why))
    inner, why = model.num_params_non_embedding, "parameters outside lookup tables"
    found.append(Figure("num_params_non_embedding", "without tables", inner, plain, why))
    if request.preset in PUBLISHED:
        why = f"the size after which {request.preset!r} is named"
        published = PUBLISHED[request.preset]
        found.append(Figure("published_params", "published as", published, count, why))
    return found


def _as_measured(request: PlanRequest, on: Hardware, measured: Probe) -> Hardware:
    """The hardware with the rate that training reached instead of an assumed one."""
    return dataclasses.replace(
        on,
        spec_flop_s=max(on.spec_flop_s, measured.matmul_flop_s),
        effective_flop_s=flops.train_flop(request.num_params, measured.tokens_per_s),
        effective_source="6·N · tokens/s, measured just now",
    )


def _notes(request: PlanRequest, on: Hardware, held: Memory) -> list[str]:
    found = [on.note] if on.note else []
    name, trains_with = request.architecture.NAME, request.recipe.optimizer
    titles = {"adamw": "AdamW", "muon": "Muon", "sgd": "SGD", "adamw8bit": "8-bit AdamW"}
    if held.activations is None:
        found.append(f"{name} has no model.width or model.depth: its activations are left out.")
    if request.optimizer != trains_with:
        found.append(
            f"Memory is computed for {titles[request.optimizer]}; the default recipe uses"
            f" {titles[trains_with]} (pass --optimizer {trains_with})."
        )
    if request.law_hardware_class is not None:
        device = registry.device("auto")
        here = machine.hardware_class(machine.machine(), device.name, device.accelerator)
        if request.law_hardware_class != here:
            fitted = request.law_hardware_class
            found.append(f"Warning: the law was fitted on {fitted}; this machine is {here}.")
    return found


def _add_cluster(plan: Plan, request: PlanRequest, work: Work) -> None:
    """Time, cost and limits of a sweep on many machines."""
    options = request.options
    off_s, source = cluster.recorded_off_s(request.architecture.NAME)
    parts = " + ".join(f"{name.removesuffix('_s')} {s:.1f}" for name, s in off_s.items())
    machines = Cluster(
        num_machines=options.cluster or 1,
        num_races=options.races or cluster.USUAL_RACES,
        budget_s=request.budget_s,
        off_s=sum(off_s.values()) if off_s else cluster.USUAL_OFF_S,
        off_source=f"per race: {parts} s; {source}" if off_s else f"per race, {source}",
    )
    plan.sections["cluster"] = cluster.time_figures(machines, options.price)
    found: list[Figure] = []
    if options.data is not None:
        plan.notes.append("Every machine has a copy of the text (--data): the hub is not asked.")
    else:
        found, limits = cluster.hub_figures(machines, work.num_tokens)
        limit, more = limits["anonymous"], f", with a token from {limits['token'] + 1:,}"
        hint = f"{more}; --data with a copy needs no hub"
        plan.verdicts.append(cluster.judge(machines, "hub", limit, hint))
        if machines.num_busy > limit:
            plan.notes.append(
                "A race that the hub refuses falls back to the storybook, another track, or to its"
                " machine's cache: copy the text and give --data, or start in smaller groups."
            )
    plan.sections["shared"] = found + cluster.shared_figures(machines)
    plan.verdicts += [
        cluster.judge(
            machines, "records", machines.records_limit(), "; several processes may submit at once"
        ),
        cluster.judge(machines, "ray head", machines.ray_limit(), "; Ray is not tested beyond"),
    ]
