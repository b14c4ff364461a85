"""What is checked before a record is taken: its numbers follow from each other and can be true.

The headline of a record proves nothing by itself, so everything is worked out again from its
parts. Needs the record alone; `verify` goes further, with the weights.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from leaderboard.notes import DataSet, moment
from leaderboard.record import Record, Score
from leaderboard.row import MAX_OVERSHOOT, Row, unranked_because

_CLOCK_SKEW = timedelta(minutes=10)
_FIRST_RACE = datetime(2025, 1, 1, tzinfo=UTC)
_ROUNDING = 1e-9  # float64 sums, worked out in another order
_CLOCK_S = 0.05  # clock readings are apart by this much


def objections(record: Record, *, now: datetime | None = None) -> list[str]:
    """Everything that speaks against a record, in words; empty if nothing does."""
    found = [] if (why := unranked_because(record)) is None else [f"it does not rank: {why}"]
    for check in (_dates, _clock, _training, _settings, _code):
        found += check(record)
    if record.score is not None:
        found += _score(record.score, record.schema_version)
    if record.created and not found:
        found += _not_from_the_future(record.created, now or datetime.now(UTC))
    return found


def data_objections(row: Row, known: Iterable[DataSet]) -> list[str]:
    """What speaks against the data of a record, given the data sets that are known."""
    if not row.num_docs:
        return []
    same = [d for d in known if d.train_fingerprint == row.train_fingerprint]
    short = row.train_fingerprint[:12]
    if not same:
        return [f"the data {row.data_name!r} ({short}) is not known there"]
    held = [d for d in same if d.heldout_fingerprint == row.heldout_fingerprint]
    if not held:
        sizes = ", ".join(f"the first {d.num_docs}" for d in same)
        return [
            f"its {row.num_docs} held-out documents are not those known of {same[0].name!r}"
            f" (known: {sizes})"
        ]
    if (row.num_docs, row.num_bytes) != (held[0].num_docs, held[0].num_bytes):
        return [
            f"it divides by {row.num_bytes} bytes of {row.num_docs} documents, but the"
            f" held-out text has {held[0].num_bytes} bytes in {held[0].num_docs}"
        ]
    return []


def _dates(record: Record) -> Iterator[str]:
    try:
        moment(record.created)
    except ValueError as error:
        yield f"created {record.created!r}: {error}"


def _not_from_the_future(created: str, now: datetime) -> Iterator[str]:
    when = datetime.fromisoformat(created)
    if when > now + _CLOCK_SKEW:
        yield f"created {created}: that is in the future"
    if when < _FIRST_RACE:
        yield f"created {created}: that is before the first race"


def _clock(record: Record) -> Iterator[str]:
    clock, train = record.clock, record.train
    spent_s = clock.train_s + clock.data_wait_s
    if record.budget_s <= 0:
        yield "its budget is 0"
        return
    if abs(max(0.0, spent_s - record.budget_s) - clock.overshoot_s) > _CLOCK_S:
        yield (
            f"training and waiting took {spent_s:.2f} s of {record.budget_s:g} s, which does not"
            f" fit an overshoot of {clock.overshoot_s:.2f} s"
        )
    if spent_s > 0 and not _close(train.tokens_per_s, train.num_tokens / spent_s, 1e-3):
        yield (
            f"{train.num_tokens} tokens in {spent_s:.2f} s are"
            f" {train.num_tokens / spent_s:,.0f} tokens/s, not {train.tokens_per_s:,.0f}"
        )
    if spent_s == 0 or train.num_steps == 0:
        yield "no step was trained"


def _training(record: Record) -> Iterator[str]:
    train, config = record.train, record.config
    shares = [share for share, _ in train.loss_curve]
    if shares != sorted(shares) or any(not 0 <= s <= 1 + 2 * MAX_OVERSHOOT for s in shares):
        yield "the shares of its loss curve do not run from 0 to 1"
    if any(nats is not None and nats < 0 for _, nats in train.loss_curve):
        yield "its loss curve falls below 0 nats"
    if train.epochs is not None and train.epochs <= 0:
        yield f"it made {train.epochs:g} epochs"
    rows = _number(config, "recipe", "batch_rows")
    context = _number(config, "model", "context")
    if rows and context and train.num_tokens > train.num_steps * rows * context:
        yield (
            f"{train.num_steps} steps of {rows} rows with {context} tokens cannot have seen"
            f" {train.num_tokens} tokens"
        )
    if record.num_params == 0 or record.num_params_non_embedding > record.num_params:
        yield (
            f"{record.num_params_non_embedding} of {record.num_params} parameters outside the"
            " embedding"
        )


def _settings(record: Record) -> Iterator[str]:
    """The config says the same as the headline."""
    pairs: list[tuple[str, object, object]] = [
        ("arch", record.config.get("arch"), record.arch),
        ("seed", record.config.get("seed"), record.seed),
        ("budget_s", record.config.get("budget_s"), record.budget_s),
        ("model.vocab", _number(record.config, "model", "vocab"), record.tokenizer.vocab),
    ]
    if record.score is not None:
        model, data = ("model", "context"), ("data", "stride")
        pairs += [
            ("model.context", _number(record.config, *model), record.score.window),
            ("data.stride", _number(record.config, *data), record.score.stride),
        ]
    for name, said, found in pairs:
        if said != found:
            yield f"its config has {name} {said!r}, its headline {found!r}"
    if record.seed < 0:
        yield f"seed {record.seed} is below 0"


def _code(record: Record) -> Iterator[str]:
    if record.code.commit is None or record.code.dirty is None:
        yield "it does not say which code made it; race from a git checkout of the project"


def _score(score: Score, schema: int) -> Iterator[str]:
    if min(score.num_docs - 1, score.num_bytes, score.num_tokens) < 1:
        yield "it was scored on fewer than two documents"
        return
    # A document of n bytes has at most n tokens and its end-of-text.
    if score.num_tokens > score.num_bytes + score.num_docs:
        yield f"{score.num_tokens} tokens cannot come from {score.num_bytes} bytes"
    if score.nats <= 0 or not 0 < score.stride <= score.window:
        yield "its nats, window and stride must be above 0, the stride at most the window"
        return
    per_token = score.nats / score.num_tokens
    worked_out: tuple[tuple[str, float, Callable[[], float]], ...] = (
        ("nats_per_token", score.nats_per_token, lambda: per_token),
        ("perplexity", score.perplexity, lambda: math.exp(min(per_token, 709.0))),
        ("bits_per_byte", score.bits_per_byte, lambda: score.nats / math.log(2) / score.num_bytes),
    )
    for name, claimed, work_out in worked_out:
        if not _close(claimed, expected := work_out(), _ROUNDING):
            yield f"{name} is {claimed!r}, but its parts give {expected!r}"
    if score.bits_per_byte_se < 0 or score.perplexity_se < 0:
        yield "a standard error is below 0"
    about = (score.num_draws, score.bits_per_byte_mc_se, score.length_nats)
    if score.likelihood == "exact" and any(part is not None for part in about):
        yield "an exact score has no noise draws"
    if score.likelihood == "bound":
        if schema >= 2 and any(part is None or part < 0 for part in about):
            yield "a bound needs its noise draws, their error and the price of lengths"
        if (score.length_nats or 0.0) >= score.nats:
            yield "the price of lengths is more than the whole score"


def _number(config: dict, section: str, name: str) -> int | None:
    inner = config.get(section)
    value = inner.get(name) if isinstance(inner, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _close(claimed: float, expected: float, relative: float) -> bool:
    return math.isclose(claimed, expected, rel_tol=relative, abs_tol=1e-12)
