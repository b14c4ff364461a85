"""Summary of a record: the facts that tables are made of, small enough to hold ten thousand."""

import hashlib
import json
from datetime import UTC, datetime
from typing import NamedTuple

from speedrun.records.schema import Record

# A race whose last step ran this share of the budget past its end does not rank.
MAX_OVERSHOOT = 0.005


class Summary(NamedTuple):
    """One run; the names are those of its record."""

    id: str
    created: str  # in UTC, so that dates sort as text
    arch: str
    recipe_name: str
    backend: str
    device: str
    seed: int
    num_params: int
    budget_s: float
    config_key: str  # hash of the config without its seed
    commit: str | None
    dirty: bool | None
    data_name: str
    train_fingerprint: str
    heldout_fingerprint: str
    num_docs: int
    num_bytes: int
    vocab: int
    tokenizer_fingerprint: str
    hardware_class: str
    num_tokens: int
    tokens_per_s: float
    likelihood: str
    bits_per_byte: float
    bits_per_byte_se: float
    perplexity: float
    weights_sha256: str
    unranked_because: str | None
    file_sha256: str = ""  # of the file that was checked, where there is one


def summarize(record: Record) -> Summary:
    """The summary of a record; its numbers are 0 where it has no score."""
    score = record.score
    return Summary(
        id=record.id,
        created=_utc(record.created),
        arch=record.arch,
        recipe_name=str(record.config.get("recipe_name", "")),
        backend=record.backend,
        device=record.device,
        seed=record.seed,
        num_params=record.num_params,
        budget_s=record.budget_s,
        config_key=config_key(record),
        commit=record.code.commit,
        dirty=record.code.dirty,
        data_name=record.data.name,
        train_fingerprint=record.data.train_fingerprint,
        heldout_fingerprint=record.data.heldout_fingerprint,
        num_docs=0 if score is None else score.num_docs,
        num_bytes=0 if score is None else score.num_bytes,
        vocab=record.tokenizer.vocab,
        tokenizer_fingerprint=record.tokenizer.fingerprint,
        hardware_class=record.hardware.hardware_class,
        num_tokens=record.train.num_tokens,
        tokens_per_s=record.train.tokens_per_s,
        likelihood="" if score is None else score.likelihood,
        bits_per_byte=0.0 if score is None else score.bits_per_byte,
        bits_per_byte_se=0.0 if score is None else score.bits_per_byte_se,
        perplexity=0.0 if score is None else score.perplexity,
        weights_sha256=record.weights_sha256,
        unranked_because=unranked_because(record),
    )


def unranked_because(record: Record) -> str | None:
    """The reason for which a run does not rank; None if it does."""
    if record.status != "complete":
        return f"the run is {record.status}"
    if record.score is None:
        return "the run has no score"
    if record.clock.suspended_s > 0:
        return f"the machine slept or stood still for {record.clock.suspended_s:.1f} s"
    if record.clock.overshoot_s > MAX_OVERSHOOT * record.budget_s:
        return f"it ran {record.clock.overshoot_s:.2f} s past its budget"
    return None


def _utc(created: str) -> str:
    try:
        when = datetime.fromisoformat(created).astimezone(UTC)
    except (ValueError, OverflowError):
        return created  # refused by `leaderboard.validate`
    return when.isoformat(timespec="seconds")


def config_key(record: Record) -> str:
    """Hash of the config without its seed: the same for all seeds of an entry."""
    rest = {key: value for key, value in record.config.items() if key != "seed"}
    canonical = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
