"""One race, from a request to a record on disk: prepare, build, train, score, record."""

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedrun.config import Run
from speedrun.data.loader import TokenStream
from speedrun.distributed.group import ProcessGroup
from speedrun.evaluation import generate
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.score import Documents, ScoringConfig
from speedrun.evaluation.scorer import Scorer, take_weights_of_rank_0
from speedrun.records.schema import Record, Sample, Score
from speedrun.system import paths
from speedrun.text import format_size
from speedrun.training import prepare, record, trainer
from speedrun.training.clock import BudgetClock
from speedrun.training.prepare import Built, Callbacks, Context, Entry, Prepared
from speedrun.training.record import Trained
from speedrun.training.request import RunRequest
from speedrun.training.run_dir import RunDirectory, run_name
from speedrun.training.signals import StopFlag
from speedrun.training.trainer import Training, TrainingJob


@dataclass(frozen=True)
class Finished:
    """A race that left a record."""

    folder: Path
    record: Record


def race(
    request: RunRequest,
    callbacks: Callbacks,
    stop: StopFlag,
    *,
    started_s: float = 0.0,
    group: ProcessGroup | None = None,
) -> Finished:
    """Run one race; `started_s` are seconds that the process spent before it, importing say.

    This is rank 0 of the `group`; the others `take_part`. Raises ValueError or LookupError for
    what a person can mend, before the clock starts, and UnfairModelError.
    """
    group, clock = group or ProcessGroup(), BudgetClock(request.budget_s)
    group.decide(lambda: request.seed)  # to `take_part`
    clock.accounts["startup"] = started_s
    with clock.account("startup"):
        entry = prepare.look_up(request, group)
        name = run_name(entry.architecture.NAME, format_size(entry.num_params), request.seed)
        directory = RunDirectory(request.out, name, 8 * entry.num_params)
    context = Context(
        clock=clock,
        callbacks=callbacks,
        stop=stop,
        group=group,
        log=lambda tick: directory.log(vars(tick)),
    )
    try:
        with entry.architecture.plugin_errors():
            return _run(entry, context, directory)
    except BaseException:
        directory.discard()
        raise


def take_part(request: RunRequest, group: ProcessGroup) -> None:
    """Train and score as a rank above 0, race after race, until rank 0 leaves: RaceOver."""
    while True:
        seed = group.decide(lambda: request.seed)
        context = Context(clock=BudgetClock(request.budget_s), group=group)
        entry = prepare.look_up(dataclasses.replace(request, seed=seed), group)
        with entry.architecture.plugin_errors():
            built = prepare.build(prepare.prepare(entry, context), context)
            score(train(built, context), context)


def _run(entry: Entry, context: Context, directory: RunDirectory) -> Finished:
    clock, prepared = context.clock, prepare.prepare(entry, context)
    trained = train(prepare.build(prepared, context), context)
    with clock.account("checkpoint"):
        weights = trained.built.engine.weights()
        weights_sha256 = directory.save_weights(weights)
    trained, found = score(trained, context)
    sample = None if found is None else _sample(trained.built, context)
    outcome = {
        "num_params": sum(array.size for array in weights.values()),  # those that are stored
        "weights_sha256": weights_sha256,
        "score": found,
        "sample": sample,
    }
    made = record.build(trained, clock, outcome)
    prepared.opened.tokenizer.save(directory.partial / "tokenizer.json")
    directory.write("samples.txt", f"{sample.text}\n" if sample else "")
    directory.write("record.json", made.to_json())
    return Finished(directory.publish(), made)


def train(built: Built, context: Context) -> Trained:
    """Train for the budget; ValueError or KeyboardInterrupt where not one step was taken."""
    run, callbacks, group = built.prepared.run, context.callbacks, context.group
    stream = _stream(built.prepared)
    with stream or contextlib.nullcontext():
        callbacks.phase("compiling and warming up")
        callbacks.start(run, _describe(built, group))
        context.stop.arm()
        job = TrainingJob(
            run=run,
            clock=context.clock,
            stream=stream,
            group=group,
            max_epochs=built.prepared.entry.architecture.EPOCHS,
            on_tick=lambda tick: (context.log(tick), callbacks.tick(tick)),
            stop_requested=lambda: context.stop.requested,
        )
        training = trainer.train(built.engine, job)
    group.decide(lambda: _check_trained(training, run, context.stop))
    if stream is not None and stream.failure is not None:
        training.note(1.0, "documents_ended", f"the documents ended early: {stream.failure}")
        callbacks.notice(f"The documents ended early ({stream.failure}); went round again.")
    return Trained(
        built=built,
        training=training,
        peak_bytes=max(group.gather(built.engine.peak_bytes())),
        num_dropped=stream.num_dropped if stream else 0,
        epochs=stream.epochs if stream else None,
        facts=built.engine.metadata() | group.metadata(),
        num_devices=group.num_devices,
    )


def _stream(prepared: Prepared) -> TokenStream | None:
    run, data, cache = prepared.run, prepared.data, paths.cache_dir() / "tokens"
    shape = {"context": run.model.context, "batch_rows": run.recipe.batch_rows}
    return data and TokenStream(data.source, data.heldout, data.tokenizer, cache, **shape)


def _describe(built: Built, group: ProcessGroup) -> str:
    data, device = built.prepared.data, built.device
    if data is None:
        return device.name
    where = device.accelerator or data.machine.cpu
    processes = f", {group.size} processes" if group.size > 1 else ""
    return f"{where}, {data.machine.cores} cores, {device.backend} on {device.name}{processes}"


def _check_trained(training: Training, run: Run, stop: StopFlag) -> None:
    if training.num_steps == 0 and stop.requested:
        raise KeyboardInterrupt
    if training.num_steps == 0:
        raise ValueError(
            f"--minutes {run.budget_s / 60:g}: not one step fits into that here; give more, or"
            " a smaller --params or --set recipe.batch_rows"
        )


def score(trained: Trained, context: Context) -> tuple[Trained, Score | None]:
    """Score the held-out documents under the weights of rank 0; None where training diverged.

    The model is checked once more before it is scored.
    """
    built, group = trained.built, context.group
    run, scorer = built.prepared.run, Scorer(built.engine, group)
    if group.decide(lambda: trained.training.status == "diverged"):
        return trained, None
    with context.clock.account("evaluate"):
        context.callbacks.phase("scoring the held-out documents")
        if (apart := take_weights_of_rank_0(scorer)) is not None:
            facts = trained.facts | {"weights_apart": apart}
            trained = dataclasses.replace(trained, facts=facts)
        documents = group.decide(lambda: _documents(built))
        likelihood = built.prepared.entry.architecture.LIKELIHOOD
        config = ScoringConfig(
            context=run.model.context, stride=run.data.stride, likelihood=likelihood
        )
        with group.lockstep():
            watch = context.callbacks.scoring
            return trained, evaluate.score(scorer, Documents(**documents), config, watch)


def _documents(built: Built) -> dict[str, Any]:
    data = built.prepared.opened
    prepare.check_fairness(built.engine, built.prepared)
    return vars(evaluate.encode(data.heldout, data.tokenizer))


def _sample(built: Built, context: Context) -> Sample:
    architecture, run = built.prepared.entry.architecture, built.prepared.run
    tokenizer, prompt = built.prepared.opened.tokenizer, generate.PROMPT
    with context.clock.account("sample"):
        context.callbacks.phase("telling a story")
        sampling = generate.Sampling(seed=run.seed)
        text = generate.tell(built.engine, architecture, run.model, tokenizer, prompt, sampling)
    return Sample(prompt=prompt, text=text, temperature=sampling.temperature, seed=run.seed)
