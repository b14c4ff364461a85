"""Summary of a record: the facts that tables are made of, small enough to hold ten thousand."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import NamedTuple

from speedrun.records import host
from speedrun.records.schema import Record

# A race whose last step ran this share of the budget past its end does not rank.
MAX_OVERSHOOT = 0.005

# Training data that was identified by its files once and by its documents now: one data set.
_SAME_DATA = {
    "c923fd3eed95dc0ddad6678453e2afa0c72a9820fdd0232cd3a864c6e4fc5dd3": (  # tinystories, a slice
        "ff162777879ac30bc67d8a7838bb9c795315452fd08522734319b4c0e8f5927b"
    )
}


class Summary(NamedTuple):
    """One run; the names are those of its record. Numbers are 0 where it has no score."""

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
    train_fingerprint: str  # one for one data set, see `data_id`
    heldout_fingerprint: str
    vocab: int
    tokenizer_fingerprint: str
    hardware_class: str
    num_tokens: int
    tokens_per_s: float
    weights_sha256: str
    unranked_because: str | None
    source: str = ""  # digest of the code that made it, see `source_of`
    is_outside: bool = False  # its architecture is not one of the project's
    unfit_because: str | None = None  # cannot hold a record
    flags: str = ""  # what its time off the clock exceeds
    matmul: float | None = None  # GFLOP/s of fp32 products, before training if it was measured
    num_docs: int = 0
    num_bytes: int = 0
    likelihood: str = ""
    bits_per_byte: float = 0.0
    bits_per_byte_se: float = 0.0
    perplexity: float = 0.0
    num_dropped: int = 0  # training documents that equal a held-out one
    energy_source: str | None = None
    joules: float | None = None  # of training
    mean_watts: float | None = None
    file_sha256: str = ""  # of the file that was checked, where there is one


_OF_RECORD = ["id", "arch", "backend", "device", "seed", "num_params", "budget_s", "weights_sha256"]
_OF_SCORE = [
    "num_docs",
    "num_bytes",
    "likelihood",
    "bits_per_byte",
    "bits_per_byte_se",
    "perplexity",
]


def data_id(train_fingerprint: str) -> str:
    """The fingerprint that stands for all fingerprints of one data set."""
    return _SAME_DATA.get(train_fingerprint, train_fingerprint)


def summarize(record: Record) -> Summary:
    """The summary of a record."""
    energy = record.energy
    score = {} if record.score is None else {k: getattr(record.score, k) for k in _OF_SCORE}
    return Summary(
        created=_utc(record.created),
        recipe_name=str(record.config.get("recipe_name", "")),
        config_key=config_key(record),
        commit=record.code.commit,
        dirty=record.code.dirty,
        data_name=record.data.name,
        train_fingerprint=data_id(record.data.train_fingerprint),
        heldout_fingerprint=record.data.heldout_fingerprint,
        num_dropped=record.data.num_dropped_duplicates,
        vocab=record.tokenizer.vocab,
        tokenizer_fingerprint=record.tokenizer.fingerprint,
        hardware_class=record.hardware.hardware_class,
        num_tokens=record.train.num_tokens,
        tokens_per_s=record.train.tokens_per_s,
        unranked_because=unranked_because(record),
        source=source_of(record),
        is_outside=record.source is not None and record.source.is_outside,
        unfit_because=host.unfit_because(record),
        flags="; ".join(host.flags(record)),
        matmul=(record.host and record.host.matmul_before) or record.hardware.matmul_gflops.fp32,
        energy_source=energy and energy.source,
        joules=energy and energy.joules,
        mean_watts=energy and energy.mean_watts,
        **{name: getattr(record, name) for name in _OF_RECORD},
        **score,
    )


def source_of(record: Record) -> str:
    """Digest of the code that made a run; of older records `commit:` and what git knows.

    Records of schema 3 keep the digest among the facts of the engine.
    """
    if record.source is not None:
        return record.source.digest
    digest = record.train.engine.get("code_digest")
    if isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest):
        return digest
    return f"commit:{record.code.commit}"


def unranked_because(record: Record) -> str | None:
    """The reason for which a run does not rank; None if it does."""
    if record.status == "trained":
        return f"the run is {to_be_scored()}"
    if record.status != "complete":
        return f"the run is {record.status}"
    if record.score is None:
        return "the run has no score"
    if any(event.kind == "bad_row" for event in record.train.events):
        return "a bad row, or a change of the files, ended the documents early"
    if record.clock.suspended_s > 0:
        return f"the machine slept or stood still for {record.clock.suspended_s:.1f} s"
    if record.clock.overshoot_s > MAX_OVERSHOOT * record.budget_s:
        return f"it ran {record.clock.overshoot_s:.2f} s past its budget"
    half = max(1, record.score.window // 2)
    if record.schema_version >= 4 and record.score.stride != half:
        return f"its scoring windows move on by {record.score.stride} tokens, not by half: {half}"
    return None


def to_be_scored(run: str = "RUN") -> str:
    """Status of a trained run in words, with the command that finishes it."""
    return f"trained, not scored yet: python run.py score {run}"


def _utc(created: str) -> str:
    try:
        return datetime.fromisoformat(created).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return created  # refused by `leaderboard.validate`


def config_key(record: Record) -> str:
    """Hash of the config without its seed: the same for all seeds of an entry."""
    rest = {key: value for key, value in record.config.items() if key != "seed"}
    canonical = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
