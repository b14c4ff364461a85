"""Record of a run: one versioned schema, immutable, identified by the hash of its content."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from speedrun.records.strict_json import Count, Fingerprint, Finite, Seconds, Section, parse_section

SCHEMA = 3
MAX_RECORD_BYTES = 1 << 20


class Code(Section):
    """Commit and version of the harness; None without a git checkout."""

    commit: str | None
    dirty: bool | None
    version: str


class Data(Section):
    """Data set by content: fingerprints of the training documents and of the held-out ones."""

    name: str
    source: Literal["hub", "local", "storybook"]
    train_fingerprint: Fingerprint
    heldout_fingerprint: Fingerprint
    num_dropped_duplicates: Count


class Tokenizer(Section):
    """Vocabulary size and content hash of the tokenizer."""

    vocab: Count
    fingerprint: Fingerprint


class MatmulGflops(Section):
    """Measured matrix-product rate by precision, in GFLOP/s."""

    fp32: Finite | None
    bf16: Finite | None


class Hardware(Section):
    """Machine and device of the run."""

    hardware_class: Annotated[str, Field(alias="class")]
    cpu: str
    cores: Count
    memory_bytes: Count
    accelerator: str | None
    matmul_gflops: MatmulGflops


class Clock(Section):
    """Seconds by account; the budget pays for `train_s` and `data_wait_s`, and for no other.

    `warmup_s` includes autotuning, whose own share is in `train.engine["tuning"]`.
    """

    startup_s: Seconds = Field(title="start-up")
    tokenizer_s: Seconds = Field(title="tokenizer")
    build_s: Seconds = Field(title="build")
    compile_s: Seconds = Field(title="compile")
    warmup_s: Seconds = Field(title="tuning and warm-up")
    train_s: Seconds = Field(title="training")
    data_wait_s: Seconds = Field(title="waiting for data")
    checkpoint_s: Seconds = Field(title="checkpoint")
    evaluate_s: Seconds = Field(title="scoring")
    sample_s: Seconds = Field(title="sampling")
    overshoot_s: Seconds = Field(title="past the budget")
    suspended_s: Seconds = Field(title="suspended")


CLOCK_TITLES = {name: str(field.title) for name, field in Clock.model_fields.items()}
ON_CLOCK = ("train_s", "data_wait_s")
BESIDE_CLOCK = ("overshoot_s", "suspended_s")  # measured, but no account of their own
OFF_CLOCK = tuple(name for name in CLOCK_TITLES if name not in ON_CLOCK + BESIDE_CLOCK)

EventKind = Literal[
    "out_of_memory",
    "data_ended",
    "documents_ended",
    "bad_row",
    "epochs_done",
    "suspended",
    "diverged",
    "interrupted",
    "scored_later",
    "bad_row",
    "overfitting",
    "not_compiled",
    "cache_unavailable",
    "limited",
    "other",
]
# How `what` begins in records of schema 1 and 2, whose events have no kind.
_KINDS: dict[str, EventKind] = {
    "out of memory": "out_of_memory",
    "the data ended": "data_ended",
    "the data did not come": "data_ended",
    "the documents ended early": "documents_ended",
    "every document was read": "epochs_done",
    "the machine slept or stood still": "suspended",
    "loss is": "diverged",
}


def _kind_of(event: dict[str, Any]) -> EventKind:
    what = event.get("what", "")
    for start, kind in _KINDS.items():
        if what.startswith(start):
            return kind
    return "other"


class Event(Section):
    """An incident during training, with the share of the budget spent by then."""

    share: Finite
    what: str
    kind: EventKind = Field(default_factory=_kind_of)  # required since schema 3


class Train(Section):
    """Training: tokens, steps, losses and events."""

    num_tokens: Count
    num_steps: Count
    epochs: Finite | None  # None: the end of the documents was not reached
    tokens_per_s: Finite
    micro_batch_rows: Count
    peak_bytes: Count
    loss_curve: list[tuple[Finite, Finite | None]]  # share, nats; None where not finite
    engine: dict[str, Any]  # what the backend chose: precision, compiled, threads, …
    events: list[Event]


class Score(Section):
    """Score on the held-out documents; standard errors (`_se`) are over documents."""

    bits_per_byte: Finite
    bits_per_byte_se: Finite
    perplexity: Finite
    perplexity_se: Finite
    nats: Finite
    nats_per_token: Finite
    likelihood: Literal["exact", "bound"]
    window: Count
    stride: Count
    num_docs: Count
    num_bytes: Count
    num_tokens: Count
    # Of a bound only, since schema 2.
    num_draws: Count | None = None
    bits_per_byte_mc_se: Finite | None = None
    length_nats: Finite | None = None


class Sample(Section):
    """Text generated after training."""

    prompt: str
    text: str
    temperature: Finite
    seed: int


class Record(Section):
    """One run. Its score is missing where training diverged, or where it is still to be scored.

    Its sample is missing there, too, and where sampling failed, which an event then says.
    """

    schema_version: Annotated[Literal[1, 2, 3], Field(alias="schema")] = SCHEMA
    id: Fingerprint | Literal[""] = ""
    created: str
    # trained: the weights are there, the score is not yet.
    status: Literal["complete", "interrupted", "diverged", "trained"]
    arch: str
    backend: str
    device: str
    seed: int
    num_params: Count
    num_params_non_embedding: Count
    budget_s: Seconds
    config: dict[str, Any]
    # The command line of this run, without data, output and number of seeds; since schema 3.
    argv: list[str] = Field(default_factory=list)
    code: Code
    data: Data
    tokenizer: Tokenizer
    hardware: Hardware
    versions: dict[str, str]
    clock: Clock
    train: Train
    score: Score | None
    sample: Sample | None
    weights_sha256: Fingerprint

    @model_validator(mode="after")
    def _has_the_fields_of_its_schema(self) -> "Record":
        """Fields that are new in schema 3 are required there and unknown before."""
        is_new = self.schema_version >= 3
        problem = "missing" if is_new else "unknown before schema 3"
        if ("argv" in self.model_fields_set) != is_new:
            raise ValueError(f"argv is {problem}")
        if any(("kind" in event.model_fields_set) != is_new for event in self.train.events):
            raise ValueError(f"the kind of an event is {problem}")
        return self

    def content(self) -> dict[str, Any]:
        """Plain values by the names of the file, none that its schema did not have."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def content_id(content: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything but the id."""
    rest = {key: value for key, value in content.items() if key != "id"}
    canonical = json.dumps(
        rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def seal(content: dict[str, Any]) -> Record:
    """The record of this content, with its id."""
    unsealed = Record.model_validate({**content, "schema": SCHEMA, "id": ""}, strict=False)
    plain = unsealed.content()
    return Record.model_validate({**plain, "id": content_id(plain)}, strict=False)


def load(path: Path) -> Record:
    """The record in a file. Raises ValueError where it is not a whole, untouched record."""
    with path.open("rb") as file:
        return parse(file.read(MAX_RECORD_BYTES + 1), str(path))


def parse(raw: bytes, where: str) -> Record:
    """The record in these bytes; ValueError, beginning with `where`, for anything else."""
    content, record = parse_section(Record, raw, where, limit=MAX_RECORD_BYTES)
    try:
        # The id is that of the file as it stands, not of what the schema makes of it.
        own_id = content_id(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not a record ({error})") from None
    if record.id != own_id:
        raise ValueError(f"{where}: its id does not match its content; it was changed afterwards")
    return record
