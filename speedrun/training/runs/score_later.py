"""Score a run that was trained and not scored: what its race would have done, off the clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from speedrun import __version__
from speedrun.config import Run
from speedrun.data import heldout
from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source
from speedrun.evaluation import score as evaluate
from speedrun.evaluation.fairness import UnfairModelError, random_rows
from speedrun.evaluation.score import ScoringConfig
from speedrun.evaluation.scorer import ScoreNotFinite
from speedrun.records import schema
from speedrun.records.files import RECORD
from speedrun.records.schema import Record
from speedrun.records.sections import Event, Score
from speedrun.system.files import write_atomic
from speedrun.training import divergence, overfitting
from speedrun.training.callbacks import Callbacks
from speedrun.training.clock import BudgetClock
from speedrun.training.runs import outcome, record, restore
from speedrun.training.runs.record import Outcome
from speedrun.training.runs.restore import Restored
from speedrun.training.runs.run_dir import SAMPLES
from speedrun.training.runs.run_names import lock_run


@dataclass(frozen=True, kw_only=True)
class Request:
    """Options of a later score: data, device and architecture."""

    data: str | None = None  # None: where the run remembers its data
    text_field: str | None = None
    device: str = "auto"
    arch: str | None = None  # its folder, of a run that was raced with one


def score_later(folder: Path, request: Request, callbacks: Callbacks) -> Record:
    """Score the trained run in a folder and sample from it; returns its final record.

    Raises ValueError or LookupError, and leaves the run as it is, where that is not possible.
    """
    if not (folder / RECORD).is_file():
        raise ValueError(f"{folder}: no {RECORD} there; give the folder of a trained run")
    lock = lock_run(folder)
    try:
        trained = schema.load(folder / RECORD)
        if trained.status != "trained":
            raise ValueError(
                f"{folder}: the run is {trained.status}, there is nothing left to score;"
                f" python run.py verify {folder} scores it again"
            )
        return _finish(folder, trained, request, callbacks)
    finally:
        if lock is not None:
            lock.release(remove=True)


def _finish(folder: Path, trained: Record, request: Request, callbacks: Callbacks) -> Record:
    clock = BudgetClock(trained.budget_s)
    with clock.account("evaluate"):
        architecture = restore.architecture_of(trained, request.arch, str(folder))
        device = restore.own_device(trained, architecture, request.device).name
        callbacks.phase("opening the data")
        run = restore.run_of(architecture, trained, None, str(folder))
        data = replace(run.data, path=request.data, text_field=request.text_field)
        source = restore.open_data(trained, folder, data, callbacks.notice)
        pinned = _held_out(folder, trained, source, data.eval_docs)
        callbacks.phase("building the model")
        found = restore.load_run(folder, device, request.arch)
        callbacks.phase(evaluate.title(architecture.LIKELIHOOD))
        with restore.one_line_errors(found.architecture, str(folder)):
            score, problem = _score(found, run, pinned, callbacks.scoring)
    if problem:
        told = outcome.unscored(problem, trained, divergence.advice(run, found.architecture))
    else:
        with clock.account("sample"):
            callbacks.phase("telling a story")
            of_run = (found.architecture, found.model, found.tokenizer)
            told = outcome.tell(found.engine, *of_run, trained.seed)
    if told.stopped is not None:
        raise told.stopped
    now = datetime.now(UTC).isoformat(timespec="seconds")
    what = f"scored later, on {now} with {device} and version {__version__}"
    seconds = trained.clock.model_dump()
    for name in ("evaluate", "sample"):
        seconds[f"{name}_s"] += clock.accounts[name]
    if score is not None and (learned := overfitting.of_score(trained, score)) is not None:
        told.events.append(learned)
    events = [Event(share=1.0, kind="scored_later", what=what), *told.events]
    final = record.finish(
        trained, Outcome(score=score, sample=told.sample, clock=seconds, events=events)
    )
    try:
        write_atomic(folder / SAMPLES, told.text)
        write_atomic(folder / RECORD, final.to_json())
    except OSError as error:
        why = f"its record cannot be written ({error.strerror})"
        raise ValueError(f"{folder}: {why}; the run is trained as before") from None
    return final


def _score(
    found: Restored, run: Run, pinned: HeldOut, watch: Callable[[float], None]
) -> tuple[Score | None, str]:
    """The score of a model that passes the fairness checks; UnfairModelError for any other.

    In place of a score, what is wrong where training turns out to have diverged.
    """
    model, likelihood = found.model, found.architecture.LIKELIHOOD
    config = ScoringConfig(context=model.context, stride=run.data.stride, likelihood=likelihood)
    checks = found.checks()
    documents = evaluate.encode(pinned, found.tokenizer)
    try:
        random_rows.check(found.engine, model.vocab, model.context, likelihood)
        score = evaluate.score(checks.scorer(), documents, config, watch)
        checks.check()
        return score, ""
    except (UnfairModelError, ScoreNotFinite) as error:
        losses, seed = found.record.train.loss_curve, found.record.seed
        problem = divergence.of_error(error, found.engine, found.architecture, model, seed, losses)
        if problem is None:
            raise
        return None, problem


def _held_out(folder: Path, trained: Record, source: Source, num_docs: int | None) -> HeldOut:
    """The held-out documents of the run; ValueError where the data are not its own."""
    pinned = heldout.pin(source, num_docs)
    is_local = trained.data.source == source.origin == "local"
    if pinned.fingerprint != trained.data.heldout_fingerprint or (
        is_local and source.train_fingerprint != trained.data.train_fingerprint
    ):
        raise ValueError(
            f"{folder}: the data {source.name!a} are not those that the run was trained on; they"
            " were changed, or are others: give the right ones with --data PATH"
        )
    return pinned
