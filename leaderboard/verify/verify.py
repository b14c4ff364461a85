"""Verification of a record: its score, its training documents and, if requested, a rerun."""

from datetime import UTC, datetime
from importlib import metadata

from leaderboard import index
from leaderboard.attestations import Leaks, SecondHeldOut, Verification
from leaderboard.verify import contamination, rerun, rescore, second
from leaderboard.verify.case import Case, Request
from speedrun import __version__
from speedrun.backends import registry
from speedrun.config import Data
from speedrun.data import heldout as splits
from speedrun.data import tokenizer as tokenizers
from speedrun.data.heldout import HeldOut
from speedrun.data.source import Source, SourceUnavailable
from speedrun.data.tokenizer import Tokenizer
from speedrun.evaluation import score
from speedrun.records.host import unfit_because
from speedrun.records.sanitize import sanitize
from speedrun.records.schema import Record
from speedrun.records.summary import data_id
from speedrun.system import git, hardware
from speedrun.system.paths import cache_dir
from speedrun.training.callbacks import Callbacks
from speedrun.training.runs import restore

_MAX_DOCS = 1 << 17  # held-out documents; TinyStories has 21,990


def verify(
    case: Case, request: Request, by: str, watcher: Callbacks
) -> tuple[Verification, list[str]]:
    """Findings about a record, and warnings about what could not be checked.

    Raises ValueError or LookupError where the record cannot be verified at all.
    """
    record = case.record
    architecture = restore.architecture_of(record, request.arch, case.where)
    device = restore.own_device(record, architecture, request.device)
    watcher.phase("opening the data")
    source, heldout = _open(case, request, watcher)
    warnings: list[str] = []
    rescored = leaks = reproduced = elsewhere = None
    if case.files is None:
        warnings.append(f"{case.lacks}: only raced again")
    else:
        watcher.phase("building the model")
        restored = restore.restore(
            record, *case.files, case.where, backend=device.name, arch=request.arch
        )
        watcher.phase(score.title(architecture.LIKELIHOOD))
        rescored, first = rescore.rescore(restored, heldout, case.where, watcher.scoring)
        elsewhere, warning = _second(restored, source, heldout, first, case.where, watcher)
        warnings += [warning] if warning else []
        leaks, warning = _search(record, source, heldout, restored.tokenizer, watcher)
        warnings += [warning] if warning else []
    if request.rerun:
        again = rerun.race_again(case, request, architecture, device, watcher)
        reproduced = rerun.compare(record, again.record, index.read(case.store, cache_dir()))
        warnings.append(f"the rerun is in {again.folder}")
        if not reproduced.agrees and (why := unfit_because(again.record)) is not None:
            warnings.append(f"the rerun says nothing, race it again: {why}")
            reproduced = None
    machine, accelerator = hardware.machine(), device.accelerator
    note = Verification(
        schema=1 if elsewhere is None else 2,
        record=record.id,
        by=by,
        verified=datetime.now(UTC).isoformat(timespec="seconds"),
        hardware_class=hardware.hardware_class(machine, device.name, accelerator),
        versions=registry.versions(registry.backend(device.backend)),
        code=_code(),
        rescored=rescored,
        leaks=leaks,
        rerun=reproduced,
        second=elsewhere,
    )
    return note, warnings


def _second(
    restored: restore.Restored,
    source: Source,
    heldout: HeldOut,
    first: tuple[score.Documents, score.Measured],
    where: str,
    watcher: Callbacks,
) -> tuple[SecondHeldOut | None, str]:
    """The score on the documents after the scored ones, or the reason why there is none."""
    try:
        later = second.documents_after(source, heldout, restored.architecture.LIKELIHOOD)
        if later is None:
            after = f"the data has too few documents after the {len(heldout.documents):,} scored"
            return None, f"no second held-out set: {after}"
        watcher.phase("scoring the second held-out set")
        return rescore.on_second(restored, first, later, where, watcher.scoring), ""
    except ValueError as error:  # the first score is valid all the same
        return None, f"the second held-out set was not scored: {error}"


def _code() -> str:
    commit, is_dirty, _ = git.code_version()
    return f"{commit}{'-dirty' if is_dirty else ''}" if commit else __version__


def _open(case: Case, request: Request, watcher: Callbacks) -> tuple[Source, HeldOut]:
    """The record's data, or without a rerun other data with the same held-out documents."""
    record = case.record
    assert record.score is not None
    num_docs = record.score.num_docs
    if not 2 <= num_docs <= _MAX_DOCS:
        raise ValueError(
            f"{num_docs} held-out documents are recorded; allowed are 2 to {_MAX_DOCS}"
        )
    wanted = Data(path=request.data, text_field=request.text_field, eval_docs=num_docs)
    source = restore.open_data(record, case.folder, wanted, watcher.notice)
    heldout = splits.pin(source, num_docs)
    name, own = sanitize(source.name), sanitize(record.data.name)
    if heldout.fingerprint != record.data.heldout_fingerprint:
        those = f"those of the record ({own}, {num_docs} documents)"
        raise ValueError(f"{name}: its held-out documents are not {those}; give --data PATH")
    if request.rerun and not _is_trained_on(source, record):
        those = f"the training data of the record ({own})"
        raise ValueError(f"--rerun: {name} is not {those}; give that with --data PATH")
    return source, heldout


def _is_trained_on(source: Source, record: Record) -> bool:
    return data_id(source.train_fingerprint) == data_id(record.data.train_fingerprint)


def _search(
    record: Record, source: Source, heldout: HeldOut, tokenizer: Tokenizer, watcher: Callbacks
) -> tuple[Leaks | None, str]:
    """Held-out text in the training documents, or the reason why they were not searched."""
    if not _is_trained_on(source, record):
        other = "the training documents differ from the record's, the held-out ones do not"
        return None, f"{other}: not searched for held-out text"
    watcher.phase("searching the training documents for held-out text")
    try:
        found = contamination.search(source, heldout, tokenizer, record, watcher.scoring)
    except SourceUnavailable as error:  # the scores are valid all the same
        return None, f"the training documents were not searched to the end: {error}"
    agrees = contamination.agrees(found, record)
    consumed = contamination.consumed_agrees(found, record)
    watcher.phase("learning the vocabulary again")
    vocabulary = vocabulary_agrees(record, source, heldout)
    leaks = Leaks(
        num_documents=found.num_documents,
        num_equal=found.num_equal,
        num_near=found.num_near,
        agrees=agrees and consumed is not False and vocabulary is not False,
        consumed_agrees=consumed,
        tokenizer_agrees=vocabulary,
    )
    return leaks, ""


def vocabulary_agrees(record: Record, source: Source, heldout: HeldOut) -> bool | None:
    """Whether the training documents give the record's vocabulary; None where that is unknown.

    One that was learnt on held-out text would give every other document back, too.
    """
    if record.tokenizer.fingerprint == tokenizers.shipped().fingerprint:
        return True
    settings = record.config.get("data")
    wanted = settings.get("vocab") if isinstance(settings, dict) else None
    if not isinstance(wanted, int) or not record.tokenizer.vocab <= wanted <= restore.MAX_VOCAB:
        return False  # no race asks for so many
    if tokenizers.learn(source, heldout, wanted).fingerprint == record.tokenizer.fingerprint:
        return True
    is_same = record.versions.get("tokenizers") == metadata.version("tokenizers")
    return False if is_same else None  # other versions of the library may learn others
