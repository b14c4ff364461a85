"""One race, from a request to a record on disk: prepare, build, train, score, record."""

import contextlib
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from speedrun.config import Run
from speedrun.data.loader import TokenStream
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation.fairness import UnfairModelError
from speedrun.records.schema import Record
from speedrun.system import paths
from speedrun.system.energy.monitor import EnergyMonitor
from speedrun.system.host import HostMonitor
from speedrun.text import format_size, reason
from speedrun.training import divergence, monitors, overfitting, prepare, trainer
from speedrun.training.callbacks import Callbacks
from speedrun.training.checkpoints import resume
from speedrun.training.checkpoints.checkpoint import Resumption
from speedrun.training.checkpoints.resume import Watched
from speedrun.training.clock import BudgetClock
from speedrun.training.prepare import Built, Context, Entry
from speedrun.training.progress import Tick, Training
from speedrun.training.request import RunRequest
from speedrun.training.runs import outcome, record
from speedrun.training.runs.record import Trained
from speedrun.training.runs.run_dir import RunDirectory, run_name
from speedrun.training.signals import StopFlag
from speedrun.training.trainer import TrainingJob
from speedrun.training.validation import Validation, Without, rows_of

# Of ln(vocabulary), the loss of guessing: how often each token occurs is known below it.
_UNTRAINED_SHARE = 0.75


@dataclass(frozen=True)
class Finished:
    """A race that left a record."""

    folder: Path
    record: Record


class NotScored(ValueError):
    """A race trained its model, and could not score it; the model is kept."""


def race(
    request: RunRequest,
    callbacks: Callbacks,
    stop: StopFlag,
    *,
    started_s: float = 0.0,
    group: ProcessGroup | None = None,
    resumed: Resumption | None = None,
) -> Finished:
    """Run one race; `started_s` are seconds that the process spent before it, importing say.

    With `resumed` it goes on from a checkpoint, in its folder. This is rank 0 of the `group`; the
    others `take_part`. Raises ValueError or LookupError for what a person can mend, before the
    clock starts, and UnfairModelError.
    """
    group, clock = group or ProcessGroup(), BudgetClock(request.budget_s)
    clock.watch = callbacks.account
    group.decide(lambda: request.seed)  # to `take_part`
    clock.accounts["startup"], stop.kept = started_s, ""
    with clock.account("startup"):
        callbacks.phase("loading the architecture")
        entry = prepare.look_up(request, group)
        name = run_name(entry.architecture.NAME, format_size(entry.num_params), request.seed)
        room = (24 if request.checkpoint_every_s else 8) * entry.num_params
        given = (room, callbacks.notice)
        if resumed is None:
            directory = RunDirectory(request.out, name, *given)
        else:
            earlier = resumed.progress
            directory = RunDirectory.reopened(resumed.folder, *given, earlier.spent_s)
            clock.carry(earlier.spent_s, earlier.suspended_s, earlier.accounts)
    context = Context(
        clock=clock,
        callbacks=callbacks,
        stop=stop,
        group=group,
        log=lambda tick: directory.log(vars(tick)),
        directory=directory,
        resumed=resumed,
    )
    try:
        with entry.architecture.plugin_errors():
            return _run(entry, context, directory)
    except Exception as error:
        if stop.kept:
            is_message = isinstance(error, (ValueError, OSError)) and str(error)
            said = " ".join(str(error).split()) if is_message else reason(error)
            kept = stop.kept
            if isinstance(error, UnfairModelError):  # no later score would be another
                kept = f"the trained model is in {directory.final}: mend the architecture"
            raise NotScored(f"not scored ({said}); {kept}") from error
        raise
    finally:
        directory.close()


def take_part(request: RunRequest, group: ProcessGroup) -> None:
    """Train and score as a rank above 0, race after race, until rank 0 leaves: RaceOver."""
    while True:
        seed = group.decide(lambda: request.seed)
        context = Context(clock=BudgetClock(request.budget_s), group=group)
        entry = prepare.look_up(dataclasses.replace(request, seed=seed), group)
        with entry.architecture.plugin_errors():
            built = prepare.build(prepare.prepare(entry, context), context)
            outcome.score(train(built, context), context)


def _run(entry: Entry, context: Context, directory: RunDirectory) -> Finished:
    prepared = prepare.prepare(entry, context)
    record.check_settings(prepared.run)
    if context.resumed is not None:
        resume.check(context.resumed, resume.identity(prepared, entry.device, context.group))
    trained = train(prepare.build(prepared, context), context)
    context.callbacks.phase("saving the model")
    made = outcome.publish(trained, context, directory)
    if made.status == "trained":
        made = outcome.finish(trained, made, context, directory)
    assert directory.final is not None, "it is published"
    return Finished(directory.final, made)


def train(built: Built, context: Context) -> Trained:
    """Train for the budget; ValueError where not one step was taken."""
    run, callbacks, group = built.prepared.run, context.callbacks, context.group
    architecture = built.prepared.entry.architecture
    with context.clock.account("startup"):  # the tokens on disk are hashed
        stream, validation = _stream(built, context), _validation(built, context)
    if stream is not None and stream.has_rebuilt_cache:
        callbacks.notice("The tokens in the cache are not those that were saved: made again.")
    monitor, energy = monitors.of_host(built, context), monitors.of_energy(built, context)
    with stream or contextlib.nullcontext(), energy:
        _catch_up(stream, context)
        saver = resume.saver(built, context, Watched(stream, validation, monitor, energy))
        callbacks.phase("compiling and warming up")
        job = TrainingJob(
            run=run,
            clock=context.clock,
            stream=stream,
            group=group,
            max_epochs=architecture.EPOCHS,
            on_start=_on_start(built, context, monitor, energy),
            on_tick=_on_tick(stream, context, energy),
            stop_requested=context.stop.take,
            advice=divergence.advice(run, architecture),
            least_first_nats=_least_first_nats(built),
            validation=validation,
            checkpoints=saver,
            restore=resume.restorer(context),
            notice=callbacks.notice,
            events=context.events,
        )
        training = trainer.train(built.engine, job)
        spent = resume.of_energy(context, energy.stop())
        peak_bytes = max(group.gather(built.engine.peak_bytes()))  # before more is taken
    with context.clock.account("warmup"):
        host = group.decide(lambda: resume.of_host(context, monitor.stop()) if monitor else {})
    group.decide(lambda: _check_trained(training, run))
    if training.status == "interrupted":
        training.note(context.clock.share(), "interrupted", _interruption(context))
    if stream is not None:
        _note_stream(stream, training, callbacks)
    epochs = stream.epochs if stream else None
    kept_share = validation.facts()["kept_share"] if validation else None
    repeated = overfitting.of_epochs(epochs, kept_share)
    if repeated is not None and training.status != "diverged":
        training.note(1.0, "overfitting", repeated)
        callbacks.notice(f"{repeated}.")
    facts = built.engine.metadata() | group.metadata() | (validation.facts() if validation else {})
    facts |= saver.facts() if saver else {}
    return Trained(
        built=built,
        training=training,
        peak_bytes=peak_bytes,
        consumed=stream.consumed() if stream else None,
        epochs=epochs,
        facts=facts,
        num_devices=group.num_devices,
        host=host,
        energy=spent,
    )


def _catch_up(stream: TokenStream | None, context: Context) -> None:
    """Wait until the stream is where the race goes on."""
    if stream is not None and context.resumed is not None:
        context.callbacks.phase("reading up to where the race stopped")
        with context.clock.account("startup"):
            resume.check_consumed(context.resumed, stream.wait())


def _note_stream(stream: TokenStream, training: Training, callbacks: Callbacks) -> None:
    if stream.cache_problem is not None:
        what = f"the tokens are not kept for later races: {stream.cache_problem}"
        training.note(1.0, "cache_unavailable", what)
        callbacks.notice(what)
    if stream.failure is not None:
        kind = "bad_row" if stream.has_bad_row else "documents_ended"
        training.note(1.0, kind, f"the documents ended early: {stream.failure}")
        callbacks.notice(f"The documents ended early ({stream.failure}); went round again.")


def _stream(built: Built, context: Context) -> TokenStream | None:
    prepared, group = built.prepared, context.group
    run, data, cache = prepared.run, prepared.data, paths.cache_dir() / "tokens"
    shape = {"context": run.model.context, "batch_rows": run.recipe.batch_rows}
    if data is None:
        return None
    source = Without(data.source, data.validation) if data.validation else data.source
    stream = TokenStream(source, data.heldout, data.tokenizer, cache, **shape)
    # A smaller last batch would be compiled anew, on the clock, or not divide among the ranks.
    if not built.engine.metadata().get("compiled") and group.size == 1:
        stream.rounds = prepared.entry.architecture.EPOCHS
    if context.resumed is not None:
        stream.skip(context.resumed.progress.num_consumed)
    return stream


def _on_start(
    built: Built, context: Context, host: HostMonitor | None, energy: EnergyMonitor
) -> Callable[[], None]:
    """The callback just before the clock starts."""

    def on_start() -> None:
        with context.clock.account("startup"):  # a tracker may wait for its server
            context.callbacks.start(built.prepared.run, _describe(built, context.group))
        if host is not None:
            host.start()
        energy.start()

    return on_start


def _on_tick(
    stream: TokenStream | None, context: Context, energy: EnergyMonitor
) -> Callable[[Tick], None]:
    """The callback of a tick; once the text's length is known it says if it will be read often."""
    unread = [stream] if stream else []

    def on_tick(tick: Tick) -> None:
        context.stop.arm()
        tick = dataclasses.replace(tick, watts=energy.watts)
        context.log(tick)
        context.callbacks.tick(tick)
        if unread and (epochs := unread[0].epochs) is not None:
            unread.clear()
            if (what := overfitting.forecast(epochs, tick.share)) is not None:
                context.callbacks.notice(what)

    return on_tick


def _least_first_nats(built: Built) -> float:
    """Loss of exact models below which the first steps show that weights come trained."""
    is_exact = built.prepared.entry.architecture.LIKELIHOOD == "exact"
    return _UNTRAINED_SHARE * math.log(built.prepared.run.model.vocab) if is_exact else 0.0


def _validation(built: Built, context: Context) -> Validation | None:
    run, data = built.prepared.run, built.prepared.data
    if data is None or data.validation is None:
        return None
    rows = rows_of(data.validation, data.tokenizer, run.model.context)
    made = Validation(built.engine, rows, context.clock)
    if context.resumed is not None:
        context.resumed.restore_validation(made)
    return made


def _describe(built: Built, group: ProcessGroup) -> str:
    data, device = built.prepared.data, built.device
    if data is None:
        return device.name
    where = device.accelerator or data.machine.cpu
    processes = f", {group.size} processes" if group.size > 1 else ""
    return f"{where}, {data.machine.cores} cores, {device.backend} on {device.name}{processes}"


def _interruption(context: Context) -> str:
    by = context.stop.signal_name or "a signal" if context.stop.requested else "the end of the data"
    return f"stopped by {by} at {context.clock.share():.0%} of the budget"


def _check_trained(training: Training, run: Run) -> None:
    if training.num_steps == 0:
        raise ValueError(
            f"--minutes {run.budget_s / 60:g}: not one step fits into that here; give more, or"
            " a smaller --params or --set recipe.batch_rows"
        )
