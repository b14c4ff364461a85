"""The stages of a race before its clock starts: look up, prepare, build.

Each returns the value that the next one takes. Every rank of a group goes through all of them;
rank 0 alone opens the data, while the others wait for its next decision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from speedrun.autotune import device as devices
from speedrun.autotune import tune
from speedrun.autotune.tune import Tuned
from speedrun.backends import common, registry
from speedrun.config import Run
from speedrun.data import heldout, open, tokenizer
from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source
from speedrun.data.tokenizer import Tokenizer
from speedrun.device import DEFAULT_EXECUTION, Device
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation.fairness import random_rows
from speedrun.models import loader
from speedrun.models.loader import LoadedArchitecture
from speedrun.protocols import Engine, EngineSpec
from speedrun.records import sections
from speedrun.records.sections import Event, EventKind
from speedrun.system import git, hardware, paths
from speedrun.training import digests, memory, request, validation
from speedrun.training.callbacks import Callbacks, Silent
from speedrun.training.checkpoints.checkpoint import Resumption
from speedrun.training.clock import BudgetClock
from speedrun.training.progress import Tick
from speedrun.training.request import CheckedRequest, RunRequest
from speedrun.training.runs.run_dir import RunDirectory
from speedrun.training.signals import StopFlag


@dataclass(frozen=True, kw_only=True)
class Context:
    """Objects that all stages of a race share."""

    clock: BudgetClock
    callbacks: Callbacks = field(default_factory=Silent)
    stop: StopFlag = field(default_factory=lambda: StopFlag(()))
    group: ProcessGroup = field(default_factory=ProcessGroup)
    log: Callable[[Tick], None] = lambda tick: None
    events: list[Event] = field(default_factory=list)  # of the record, before the clock starts
    directory: RunDirectory | None = None  # on rank 0
    resumed: Resumption | None = None  # on rank 0

    def note(self, kind: EventKind, what: str) -> None:
        """Say something that the record keeps, before the clock starts."""
        self.events.append(Event(share=0.0, kind=kind, what=what))
        self.callbacks.notice(what)


@dataclass(frozen=True)
class Entry:
    """A request whose names are looked up and whose options are checked."""

    request: RunRequest
    checked: CheckedRequest
    architecture: LoadedArchitecture
    device: Device
    num_params: int  # with the vocabulary that was asked for


@dataclass(frozen=True)
class OpenedData:
    """The data of a race, which only rank 0 opens, and the facts of its machine."""

    source: Source
    heldout: HeldOut
    machine: hardware.Machine
    tokenizer: Tokenizer
    num_round_trips: int  # held-out documents that the tokenizer gives back: all of them
    code: git.CodeVersion  # as the race began
    program: sections.Source  # its digests, as the race began
    validation: HeldOut | None  # of `--keep best`: training documents that are not trained on


@dataclass(frozen=True)
class Prepared:
    """A race whose settings are all known."""

    entry: Entry
    run: Run
    data: OpenedData | None  # None on ranks above 0

    @property
    def opened(self) -> OpenedData:
        """The data, on rank 0."""
        assert self.data is not None, "rank 0 has the data"
        return self.data


@dataclass(frozen=True)
class Built:
    """An engine that is ready to train and has passed the fairness checks."""

    prepared: Prepared
    device: Device  # the one of the entry, or a faster one under another framework
    engine: Engine
    tuned: Tuned
    step_s: Mapping[str, float | str]  # of each device that `auto` timed
    matmul_gflops: Mapping[str, float | None]


def look_up(asked: RunRequest, group: ProcessGroup) -> Entry:
    """Find architecture and device and check every option; ValueError or LookupError."""

    def found() -> Entry:
        if group.size > 1 and (asked.again or asked).keep == "best":
            raise ValueError("--keep best: of one process only so far; use --keep last")
        architecture = loader.architecture(asked.arch)
        with architecture.plugin_errors():  # before a framework is imported, which takes seconds
            run = request.check(architecture, asked).run(asked.data.vocab)
        device = registry.device(asked.backend, architecture)
        architecture.model(device.backend)  # not written for it: said before data is opened
        # What an earlier race of this process left in its modules is not in this one.
        architecture = architecture.imported_anew()
        with architecture.plugin_errors():
            checked = request.check(architecture, asked)
        registry.backend(device.backend).check(checked.recipe, device)
        return Entry(asked, checked, architecture, device, run.model.num_params)

    return group.agree(found)


def prepare(entry: Entry, context: Context) -> Prepared:
    """Open the data and size the model for its vocabulary."""
    group = context.group
    data = _open(entry, context) if group.rank == 0 else None
    vocab = group.decide(lambda: data.tokenizer.vocab if data else 0)
    run = group.agree(lambda: entry.checked.run(vocab))
    if run.model.vocab != vocab:  # of a record that is run again
        raise ValueError(
            f"the tokenizer of this data has {vocab} tokens, the model of the record"
            f" {run.model.vocab}: give the data that the record was trained on"
        )
    if data is not None:
        of_data = data.source.train_fingerprint, _hardware_class(entry, data)
        with context.clock.account("startup"):
            context.callbacks.opened(run, *of_data)
    return Prepared(entry, run, data)


def _hardware_class(entry: Entry, data: OpenedData) -> str:
    return hardware.hardware_class(data.machine, entry.device.name, entry.device.accelerator)


def _open(entry: Entry, context: Context) -> OpenedData:
    callbacks, wanted = context.callbacks, entry.request.data
    with context.clock.account("startup"):
        version = _surroundings(entry, context)
        program = digests.of_race(entry.checked, entry.architecture)
        callbacks.phase("opening the data")
        source = open.open_source(wanted, callbacks.notice)
        pinned = heldout.pin(source, wanted.eval_docs)
        keep = (entry.request.again or entry.request).keep
        kept_back = validation.draw(source, pinned) if keep == "best" else None
        machine = hardware.machine()
    with context.clock.account("tokenizer"):
        callbacks.phase("preparing the tokenizer")
        cache = paths.cache_dir() / "tokenizers"
        choice = entry.checked.data.tokenizer
        found = tokenizer.for_data(source, pinned, wanted.vocab, choice, cache, callbacks.notice)
        num_round_trips = tokenizer.expect_round_trips(found, pinned)
    return OpenedData(source, pinned, machine, found, num_round_trips, version, program, kept_back)


def _surroundings(entry: Entry, context: Context) -> git.CodeVersion:
    """The code's version; says what is the matter with it, the cache and the machine.

    Raises ValueError where the memory cannot suffice.
    """
    version = git.code_version()
    if version.problem:
        lost = "the record will not say which code made it, and cannot be submitted"
        context.callbacks.notice(f"{lost}: {version.problem}")
    if problem := paths.cache_problem():
        context.note("cache_unavailable", problem)
    if limits := hardware.limits():
        context.note("limited", limits)
    if short := memory.Fit(entry.checked, entry.device, context.group).check():
        context.callbacks.notice(short)
    return version


def build(prepared: Prepared, context: Context) -> Built:
    """Choose device and settings, make the engine, and try it on random weights."""
    architecture, run, group = prepared.entry.architecture, prepared.run, context.group
    with context.clock.account("build"):
        device, step_s = _choose_device(prepared, context)
    with context.clock.account("warmup"):
        tuned = _tune(prepared, device, context)
    with context.clock.account("build"):
        context.callbacks.phase("building the model")
        of_model = (
            f"{architecture.NAME} on {device.name}: " + w for w in architecture.warnings(device)
        )
        for warning in (*of_model, *group.warnings):
            context.callbacks.notice(warning)
        backend = registry.backend(device.backend)
        rates = group.decide(
            lambda: {name: backend.matmul_gflops(device, name) for name in ("fp32", "bf16")}
        )

        def made() -> Engine:
            execution = tuned.settings
            if group.size > 1:  # the precision that the measurement of rank 0 means for all ranks
                precision = common.precision(run.recipe.precision, device, rates.get)
                execution = replace(execution, precision=precision)
            spec = EngineSpec(
                architecture=architecture,
                config=run.model,
                recipe=run.recipe,
                device=device,
                seed=run.seed,
                group=group,
                execution=execution,
            )
            return registry.engine(spec)

        engine = group.agree(made)
        group.decide(lambda: _check_at_random(engine, prepared))
    return Built(prepared, device, engine, tuned, step_s, rates)


def _choose_device(
    prepared: Prepared, context: Context
) -> tuple[Device, Mapping[str, float | str]]:
    entry = prepared.entry
    candidates = devices.candidates(entry.device, entry.architecture)
    if entry.request.backend != "auto" or len(candidates) == 1:
        return entry.device, {}
    names = " and ".join(device.name for device in candidates)
    context.callbacks.phase(f"timing a few steps on {names}")
    device, step_s = devices.fastest(candidates, entry.architecture, prepared.run)
    times = ", ".join(
        f"{name} {t * 1e3:.3g} ms a step" if isinstance(t, float) else f"{name} failed ({t})"
        for name, t in step_s.items()
    )
    context.callbacks.notice(f"Racing on {device.name}: {times}.")
    return device, step_s


def _tune(prepared: Prepared, device: Device, context: Context) -> Tuned:
    entry, data = prepared.entry, prepared.data
    if context.group.size > 1 or data is None:
        return Tuned(settings=DEFAULT_EXECUTION, facts={"mode": "off"})
    target = tune.Target(
        arch=entry.request.arch,
        architecture=entry.architecture,
        run=prepared.run,
        backend=registry.backend(device.backend),
        device=device,
        machine=data.machine,
        chosen={setting.partition("=")[0] for setting in entry.request.settings},
    )
    if entry.request.tune != "off":
        context.callbacks.phase("choosing the settings of a step")
    return tune.tune(entry.request.tune, target, context.callbacks.notice)


def _check_at_random(engine: Engine, prepared: Prepared) -> None:
    """Fairness checks on random weights: branches that start at zero hide what they leak.

    Noise is added, not put in place: a variance stays positive.
    """
    rng = np.random.default_rng(prepared.run.seed)
    initial = engine.weights()
    engine.load({name: w + random_rows.noise(w.shape, rng) for name, w in initial.items()})
    check_fairness(engine, prepared)
    engine.reset()


def check_fairness(engine: Engine, prepared: Prepared) -> None:
    """Raise UnfairModelError unless the engine's model may be scored."""
    model, likelihood = prepared.run.model, prepared.entry.architecture.LIKELIHOOD
    random_rows.check(engine, model.vocab, model.context, likelihood)
