"""From options to a plan."""

import dataclasses

from speedrun.backends import registry
from speedrun.models import flops
from speedrun.plan import cluster, hardware, hints, probe, request, space
from speedrun.plan import compute as work
from speedrun.plan.hardware import Hardware
from speedrun.plan.options import Options
from speedrun.plan.probe import Probe
from speedrun.plan.request import Question
from speedrun.plan.sheet import NO_GO, Sheet
from speedrun.system import hardware as telemetry
from speedrun.text import count

BUSY = 0.5  # load per core before anything is measured; `doctor` warns there too


def answer(options: Options) -> Sheet:
    """Work the whole plan out; raises ValueError or LookupError for what a person can mend."""
    load = telemetry.load_per_core() or 0.0
    asked = request.ask(options)
    if options.data is not None and not options.data.exists():
        raise ValueError(f"--data {options.data}: no such file or folder")
    on = hardware.choose(options, asked)
    with asked.architecture.plugin_errors():
        return _answer(options, asked, on, load)


def _answer(options: Options, request: Question, on: Hardware, load: float) -> Sheet:
    sheet = Sheet(title=_title(request, on))
    space.add_model(sheet, request)
    space.add_memory(sheet, request, on)
    measured = _measure(sheet, request, on) if options.measure else None
    speed = work.speed(request, on, measured)
    on = on if measured is None else _as_measured(request, on, measured)
    num_tokens = work.num_tokens(request, speed)
    forward = sum(work.forward_parts(request, on)[0].values())
    work.add_compute(sheet, request, on, num_tokens)
    work.add_time(sheet, request, on, speed, num_tokens, forward, is_measured=measured is not None)
    if measured is not None:
        work.add_probe(sheet, request, measured, forward)
    work.add_data(sheet, request, speed, num_tokens)
    hints.add_epochs(sheet, options.data, num_tokens)
    hints.add_hints(sheet, request, num_tokens)
    hints.add_go_small(sheet, request, num_tokens)
    cluster.add_cluster(sheet, request, num_tokens, has_copy=options.data is not None)
    _note(sheet, request, on, load)
    return sheet


def _title(request: Question, on: Hardware) -> str:
    name = request.preset or count(request.num_params)
    return f"{request.architecture.NAME} {name} on {on.title}"


def _measure(sheet: Sheet, request: Question, on: Hardware) -> Probe:
    (memory,) = (verdict for verdict in sheet.verdicts if verdict.what == "memory")
    if memory.answer == NO_GO:
        raise ValueError(f"--measure: would not fit this machine, {memory.why}")
    assert on.here is not None, "--measure excludes --device and --tflops"
    recipe = probe.recipe_of(request.recipe, request.batch_rows, request.optimizer, request.dtype)
    return probe.measure(request.architecture, request.model, recipe, on.here)


def _as_measured(request: Question, on: Hardware, measured: Probe) -> Hardware:
    """The hardware with the rate that training reached instead of an assumed one."""
    reached = flops.train_flop(request.num_params, measured.tokens_per_s)
    return dataclasses.replace(
        on,
        spec_flop_s=max(on.spec_flop_s, measured.matmul_flop_s),
        effective_flop_s=reached,
        effective_formula="6·N · tokens/s, measured just now",
    )


def _note(sheet: Sheet, request: Question, on: Hardware, load: float) -> None:
    if on.note is not None:
        sheet.notes.append(on.note)
    if request.optimizer != request.recipe.optimizer:
        sheet.notes.append(
            f"States are those of {request.optimizer}; the default recipe of"
            f" {request.architecture.NAME} trains with {request.recipe.optimizer} (--optimizer)."
        )
    if on.here is not None and load > BUSY:
        sheet.notes.append(
            f"This machine is busy (load {load:.1f} per core): rates measured now are too low."
        )
    if (warning := _foreign(request.law_hardware_class)) is not None:
        sheet.notes.append(warning)


def _foreign(hardware_class: str | None) -> str | None:
    """A warning where the law was fitted on another class of hardware."""
    if hardware_class is None:
        return None
    device = registry.device("auto")
    here = telemetry.hardware_class(telemetry.machine(), device.name, device.accelerator)
    if hardware_class == here:
        return None
    return f"Warning: the law was fitted on {hardware_class}; this machine is {here}."
