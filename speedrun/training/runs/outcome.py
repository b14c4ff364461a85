"""After training: the run is published at once, then scored and sampled from.

From `publish` on nothing that fails or is stopped costs the trained model: its record says
`trained` until `finish` replaces it, in this process or in a later one (`score_later`).
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.numpy

from speedrun.config import ModelConfig
from speedrun.data.tokenizer import Tokenizer
from speedrun.evaluation import generate
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import UnfairModelError, saved
from speedrun.evaluation.fairness.heldout import HeldOutChecks
from speedrun.evaluation.score import Documents, ScoringConfig
from speedrun.evaluation.scorer import ScoreNotFinite, Scorer, take_weights_of_rank_0
from speedrun.protocols import Architecture, Engine
from speedrun.records.files import RECORD, TOKENIZER, WEIGHTS
from speedrun.records.schema import Record
from speedrun.records.sections import Event, Sample, Score
from speedrun.records.strict_json import plain
from speedrun.system import interrupts
from speedrun.text import reason
from speedrun.training import divergence, overfitting, prepare
from speedrun.training.prepare import Context, Prepared
from speedrun.training.runs import record
from speedrun.training.runs.record import Outcome, Trained
from speedrun.training.runs.run_dir import LOCAL, SAMPLES, RunDirectory


@dataclasses.dataclass(frozen=True)
class Told:
    """A sample, or the event that says why there is none."""

    sample: Sample | None
    events: list[Event]
    stopped: KeyboardInterrupt | None = None

    @property
    def text(self) -> str:
        """The text of samples.txt."""
        return f"{self.sample.text}\n" if self.sample else ""


def publish(trained: Trained, context: Context, directory: RunDirectory) -> Record:
    """Put the trained model under the run's final name, before anything else can fail."""
    with context.clock.account("checkpoint"):
        weights = trained.built.engine.weights()
        num_params = sum(array.size for array in weights.values())  # those that are stored
        raw = safetensors.numpy.save(dict(weights))
    found = {"num_params": num_params, "weights_sha256": hashlib.sha256(raw).hexdigest()}
    files = _files(trained.built.prepared, raw)
    try:
        made = record.build(trained, context.clock, found)
    except Exception as error:  # whatever is wrong with the record, the weights are kept
        raise ValueError(
            f"the record of the run cannot be written ({reason(error)}); its weights are kept in"
            f" {directory.publish(files)}"
        ) from error
    with context.clock.account("checkpoint"):
        directory.publish({RECORD: made.to_json().encode(), **files})
        if trained.training.status != "interrupted":
            directory.drop_checkpoint()
    return made


def _files(prepared: Prepared, weights: bytes) -> dict[str, bytes]:
    """The files of a run beside its log and its record."""
    opened, path = prepared.opened, prepared.run.data.path
    places = {"local": path and str(Path(path).resolve()), "storybook": "storybook"}
    local = {
        "data": places.get(opened.source.origin),
        "text_field": prepared.entry.request.data.text_field,
    }
    return {
        LOCAL: f"{json.dumps(local)}\n".encode(),
        SAMPLES: b"",
        TOKENIZER: opened.tokenizer.to_json().encode(),
        WEIGHTS: weights,
    }


def finish(trained: Trained, made: Record, context: Context, directory: RunDirectory) -> Record:
    """Score a published run and sample from it; returns its final record, which is written."""
    stop, prepared, folder = context.stop, trained.built.prepared, directory.final
    kept = f"the trained model is in {folder}: python run.py score {folder} finishes it"
    stop.training_is_over(kept)
    found, facts, problem = score(trained, context)
    if problem:
        told = unscored(problem, made, divergence.advice(prepared.run, prepared.entry.architecture))
    else:
        with context.clock.account("sample"):
            context.callbacks.phase("telling a story")
            of_run = (prepared.entry.architecture, prepared.run.model, prepared.opened.tokenizer)
            told = tell(trained.built.engine, *of_run, made.seed)
    if found is not None and (learned := overfitting.of_score(made, found)) is not None:
        told.events.append(learned)
    final = record.finish(
        made,
        Outcome(
            score=found,
            sample=told.sample,
            clock=context.clock.ledger(),
            events=told.events,
            facts=facts,
        ),
    )
    files = {SAMPLES: told.text.encode(), RECORD: final.to_json().encode()}
    if directory.is_whole():
        try:
            directory.replace(files)
        except OSError as error:
            raise ValueError(f"its record cannot be written ({error.strerror})") from error
    else:  # its folder was deleted meanwhile
        weights = safetensors.numpy.save(dict(trained.built.engine.weights()))
        directory.publish(_files(prepared, weights) | files)
    if told.stopped is not None:
        interrupts.current().outcome = f"the run is scored and kept in {directory.final}"
        raise told.stopped
    for event in told.events:
        said = "training diverged: " if event.kind == "diverged" else ""
        context.callbacks.notice(f"{said}{event.what}.")
    return final


def score(trained: Trained, context: Context) -> tuple[Score | None, dict[str, Any], str]:
    """Score the held-out documents under the weights of rank 0; None where training diverged.

    The model is checked before and after it is scored. Facts for the record come with the score,
    and what is wrong where the checks or the score show that training diverged.
    """
    built, group, facts = trained.built, context.group, {}
    run, architecture = built.prepared.run, built.prepared.entry.architecture
    if group.decide(lambda: trained.training.status == "diverged"):
        return None, facts, ""
    with context.clock.account("evaluate"):
        likelihood = architecture.LIKELIHOOD
        context.callbacks.phase(evaluate.title(likelihood))
        if (apart := take_weights_of_rank_0(Scorer(built.engine, group))) is not None:
            facts["weights_apart"] = apart
        engine = built.engine.rebuilt()
        checks = HeldOutChecks(engine=engine, architecture=architecture, model=run.model)
        documents = group.decide(lambda: _documents(trained, engine))
        if problem := documents.get("problem"):
            return None, facts, problem
        config = ScoringConfig(
            context=run.model.context, stride=run.data.stride, likelihood=likelihood
        )
        scorer, watch = checks.scorer(group), context.callbacks.scoring
        try:
            with group.lockstep(agreed=ScoreNotFinite):
                found = evaluate.score(scorer, Documents(**documents), config, watch)
        except ScoreNotFinite as error:
            return None, facts, str(error)
        problem = group.decide(lambda: _problem(trained, engine, checks.check))
        return None if problem else found, facts, problem


def _documents(trained: Trained, engine: Engine) -> dict[str, Any]:
    """The held-out documents in tokens; or the problem, where checks show that training diverged.

    `engine` is the one that scores.
    """
    built, data, run = trained.built, trained.built.prepared.opened, trained.built.prepared.run
    documents = evaluate.encode(data.heldout, data.tokenizer)

    def check() -> None:
        saved.check_rebuilt(built.engine, engine, documents.tokens, run.model.context)
        prepare.check_fairness(engine, built.prepared)

    problem = _problem(trained, engine, check)
    return {"problem": problem} if problem else vars(documents)


def _problem(trained: Trained, engine: Engine, check: Callable[[], None]) -> str:
    """Run fairness checks; what is wrong where training diverged, else an UnfairModelError."""
    built, losses = trained.built, trained.training.loss_curve
    run, architecture = built.prepared.run, built.prepared.entry.architecture
    try:
        check()
    except UnfairModelError as error:
        problem = divergence.of_error(error, engine, architecture, run.model, run.seed, losses)
        if problem is None:
            raise
        return problem
    return ""


def unscored(problem: str, made: Record, advice: str) -> Told:
    """No sample: the event that makes a record's status `diverged`."""
    return Told(None, [divergence.event(1.0, problem, made.train.num_steps, advice)])


def tell(
    engine: Engine, architecture: Architecture, model: ModelConfig, tokenizer: Tokenizer, seed: int
) -> Told:
    """A story of the trained model; what goes wrong with it costs the story alone."""
    prompt, sampling = generate.PROMPT, generate.Sampling(seed=seed)
    try:
        text = generate.tell(engine, architecture, model, tokenizer, prompt, sampling)
    except (Exception, KeyboardInterrupt) as error:
        is_stop = isinstance(error, KeyboardInterrupt)
        why = "sampling was stopped" if is_stop else plain(reason(error))
        event = Event(share=1.0, kind="other", what=f"there is no sample: {why}")
        return Told(None, [event], error if is_stop else None)
    sample = {"prompt": prompt, "text": text, "temperature": sampling.temperature, "seed": seed}
    return Told(Sample(**plain(sample)), [])
