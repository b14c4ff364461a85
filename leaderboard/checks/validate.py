"""Validation of records: numbers that follow from others do, and none is impossible.

Every headline number is computed again from its parts. Needs the record alone; `verify` goes
further, with the weights.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from leaderboard.attestations import DataSet, parse_time
from leaderboard.checks import energy, learning, machine, model, origin
from speedrun.records.sanitize import brief
from speedrun.records.schema import Record
from speedrun.records.sections import Score
from speedrun.records.summary import MAX_OVERSHOOT, Summary, unranked_because

_CLOCK_SKEW = timedelta(minutes=10)
_FIRST_RACE = datetime(2025, 1, 1, tzinfo=UTC)
_ROUNDING = 1e-9  # float64 sums in another order
_CLOCK_S = 0.05  # seconds between two readings of the clock
_MIN_SPENT_S = 1e-3
_MAX_BUDGET_S = 24 * 3600.0
_MAX_SEED = (1 << 64) - 1
_MAX_WORD = 200  # characters of text in tables
_BYTES = 257  # tokens of a vocabulary without merges: bytes and end-of-text
_MANY_DOCS = 100
_MAX_SE_RATIO = 5.0  # of relative errors per byte and per token; recorded are 1.1 to 1.2
_MAX_NATS = 100.0  # of a token; guessing costs less than 12
_MAX_LOSS = 1e30  # means of more are not finite
_MAX_SHARE = 1 + 2 * MAX_OVERSHOOT  # of the budget, on a loss curve


def problems(record: Record, *, now: datetime | None = None, must_rank: bool = True) -> list[str]:
    """All problems of a record, a sentence each; empty for one that may be submitted.

    One of a disturbed pair of a duel need not rank.
    """
    why = unranked_because(record) if must_rank or record.score is None else None
    found = [] if why is None else [f"it does not rank: {why}"]
    found += _dates(record.created, now or datetime.now(UTC))
    of_others = (model, machine, learning, origin, energy)
    others = (module.problems for module in of_others)
    for check in (_clock, _training, _settings, _text, _score, *others):
        found += check(record)
    return found


def data_problems(run: Summary, known: Iterable[DataSet]) -> list[str]:
    """Problems of the data that a run was scored on, given the known data sets; at most one."""
    if not run.num_docs:
        return []
    same = [data for data in known if data.train_fingerprint == run.train_fingerprint]
    if not same:
        short = run.train_fingerprint[:12]
        return [f"the data {brief(run.data_name)} ({short}) is not known there"]
    heldout = [data for data in same if data.heldout_fingerprint == run.heldout_fingerprint]
    if not heldout:
        sizes = ", ".join(f"the first {data.num_docs}" for data in same[:5])
        known_of = f"those known of {same[0].name!r} (known: {sizes})"
        return [f"its {run.num_docs} held-out documents are not {known_of}"]
    if (run.num_docs, run.num_bytes) != heldout[0].size:
        own = f"{run.num_bytes} bytes of {run.num_docs} documents"
        text = f"{heldout[0].num_bytes} bytes in {heldout[0].num_docs}"
        return [f"it divides by {own}, but the held-out text has {text}"]
    return []


def _dates(created: str, now: datetime) -> Iterator[str]:
    try:
        when = parse_time(created)
    except ValueError as error:
        yield f"created: {error}"
        return
    if when > now + _CLOCK_SKEW:
        yield f"created {brief(created)}: that is in the future"
    if when < _FIRST_RACE:
        yield f"created {brief(created)}: that is before the first race"


def _clock(record: Record) -> Iterator[str]:
    clock, train = record.clock, record.train
    spent_s = clock.train_s + clock.data_wait_s
    if not 0 < record.budget_s <= _MAX_BUDGET_S:
        yield f"its budget is {record.budget_s:g} s; a race lasts at most a day"
        return
    if abs(max(0.0, spent_s - record.budget_s) - clock.overshoot_s) > _CLOCK_S:
        spent = f"training and waiting took {spent_s:.2f} s of {record.budget_s:g} s"
        yield f"{spent}, which does not fit an overshoot of {clock.overshoot_s:.2f} s"
    yield from _resumes(record, spent_s)
    if spent_s < _MIN_SPENT_S or train.num_steps == 0:
        yield "no step was trained"
    elif not _close(train.tokens_per_s, rate := train.num_tokens / spent_s, 1e-3):
        claimed = f"{train.num_tokens} tokens in {spent_s:.2f} s"
        yield f"{claimed} are {rate:,.0f} tokens/s, not {train.tokens_per_s:,.0f}"


def _resumes(record: Record, spent_s: float) -> Iterator[str]:
    """A race goes on at or after the moment it went on before, within what it spent."""
    moments = [0.0, *record.resumes, spent_s]
    if moments != sorted(moments):
        yield "the moments at which it was resumed are not in order, or not within its budget"
    num_events = sum(event.kind == "resumed" for event in record.train.events)
    if num_events != len(record.resumes):
        yield f"it was resumed {len(record.resumes)} times, and {num_events} events say so"


def _training(record: Record) -> Iterator[str]:
    train = record.train
    shares = [share for share, _ in train.loss_curve]
    nats = [loss for _, loss in train.loss_curve if loss is not None]
    if shares != sorted(shares) or (shares and not 0 <= shares[0] <= shares[-1] <= _MAX_SHARE):
        yield "the shares of its loss curve do not run from 0 to 1"
    if nats and not 0 <= min(nats) <= max(nats) <= _MAX_LOSS:
        yield f"its loss curve leaves the range from 0 to {_MAX_LOSS:g} nats"
    if train.epochs is not None and train.epochs <= 0:
        yield f"it made {train.epochs:g} epochs"
    rows = _number(record, "recipe", "batch_rows")
    context = _number(record, "model", "context")
    if rows and context and train.num_tokens > train.num_steps * rows * context:
        seen = f"{train.num_steps} steps of {rows} rows with {context} tokens"
        yield f"{seen} cannot have seen {train.num_tokens} tokens"
    num, outside = record.num_params, record.num_params_non_embedding
    if num == 0 or outside > num:
        yield f"{outside} of {num} parameters outside the embedding"


def _settings(record: Record) -> Iterator[str]:
    """The config agrees with the fields of the record."""
    pairs: list[tuple[str, Any, Any]] = [
        *((n, record.config.get(n), getattr(record, n)) for n in ("arch", "seed", "budget_s")),
        ("model.vocab", _number(record, "model", "vocab"), record.tokenizer.vocab),
    ]
    if (score := record.score) is not None:
        pairs.append(("model.context", _number(record, "model", "context"), score.window))
        pairs.append(("data.stride", _number(record, "data", "stride"), score.stride))
    for name, in_config, in_record in pairs:
        if in_config != in_record or isinstance(in_config, bool):
            yield f"its config has {name} {brief(in_config)}, its headline {brief(in_record)}"
    if not 0 <= record.seed <= _MAX_SEED:
        yield f"seed {brief(record.seed)} is not within 0 to 2^64 - 1"
    if record.code.commit is None or record.code.dirty is None:
        yield "it does not say which code made it; race from a git checkout of the project"


def _text(record: Record) -> Iterator[str]:
    """Text that tables show is short."""
    shown = {
        "arch": record.arch,
        "backend": record.backend,
        "device": record.device,
        "config.recipe_name": str(record.config.get("recipe_name", "")),
        "code.commit": record.code.commit or "",
        "code.version": record.code.version,
        "data.name": record.data.name,
        "hardware.class": record.hardware.hardware_class,
    }
    for name, text in shown.items():
        if len(text) > _MAX_WORD:
            yield f"{name} has {len(text)} characters; allowed are {_MAX_WORD}"


def _score(record: Record) -> Iterator[str]:
    if (score := record.score) is None:
        return
    if min(score.num_docs - 1, score.num_bytes, score.num_tokens) < 1:
        yield "it was scored on fewer than two documents"
        return
    # A document of n bytes has at most n tokens and its end-of-text.
    most, size = score.num_bytes + score.num_docs, _bytes_per_token(record.tokenizer.vocab)
    if not score.num_docs + score.num_bytes / size <= score.num_tokens <= most:
        vocab = f"{score.num_bytes} bytes with a vocabulary of {record.tokenizer.vocab}"
        yield f"{score.num_tokens} tokens cannot come from {vocab}"
    if score.nats <= 0 or not 0 < score.stride <= score.window:
        yield "its nats, window and stride must be above 0, the stride at most the window"
        return
    per_token = score.nats / score.num_tokens
    if per_token > _MAX_NATS:
        yield f"{per_token:.3g} nats for a token are more than any guess costs"
        return
    computed = {
        "nats_per_token": per_token,
        "perplexity": math.exp(per_token),
        "bits_per_byte": score.nats / math.log(2) / score.num_bytes,
    }
    for name, expected in computed.items():
        if not _close(claimed := getattr(score, name), expected, _ROUNDING):
            yield f"{name} is {claimed!r}, but its parts give {expected!r}"
    # All of a sum in one document is the most uneven that documents can be.
    most = 2 * score.bits_per_byte, 2 * score.perplexity * per_token
    if not (0 <= score.bits_per_byte_se <= most[0] and 0 <= score.perplexity_se <= most[1]):
        yield "a standard error is below 0, or larger than documents can make it"
    elif score.num_docs >= _MANY_DOCS:
        yield from _errors(score)
    of_bound = (score.num_draws, score.bits_per_byte_mc_se, score.length_nats)
    if score.likelihood == "exact":
        if any(part is not None for part in of_bound):
            yield "an exact score has no noise draws"
        return
    if record.schema_version >= 2 and any(part is None or part < 0 for part in of_bound):
        yield "a bound needs its noise draws, their error and the price of lengths"
    if (score.length_nats or 0.0) >= score.nats:
        yield "the price of lengths is more than the whole score"


def _bytes_per_token(vocab: int) -> float:
    """Most bytes of text that a token of this vocabulary stands for in the mean.

    A token tells at most log2(vocab) bits, and no text is worth less than half a bit a byte.
    """
    return 1.0 if vocab <= _BYTES else 2 * math.log2(vocab)


def _errors(score: Score) -> Iterator[str]:
    """The two standard errors are those of one spread over documents."""
    per_byte = score.bits_per_byte_se / score.bits_per_byte
    per_token = score.perplexity_se / score.perplexity / score.nats_per_token
    if not 0 < per_byte <= _MAX_SE_RATIO * per_token or per_token > _MAX_SE_RATIO * per_byte:
        both = f"{score.bits_per_byte_se:.3g} bits and {score.perplexity_se:.3g} of perplexity"
        yield f"standard errors of {both} are not of the same documents"


def _number(record: Record, section: str, name: str) -> int | None:
    inner = record.config.get(section)
    value = inner.get(name) if isinstance(inner, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _close(claimed: float, expected: float, relative: float) -> bool:
    return math.isclose(claimed, expected, rel_tol=relative, abs_tol=1e-12)
