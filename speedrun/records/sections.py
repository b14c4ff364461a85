"""Sections of a record. Fields that a schema did not have are listed in `schema.NEW_FIELDS`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from speedrun.records.strict_json import Amount, Count, Fingerprint, Finite, Seconds, Section, Share


class Code(Section):
    """Commit and version of the harness; None without a git checkout."""

    commit: str | None
    dirty: bool | None
    version: str


class Source(Section):
    """Digests of the code that trained and scored, read as the race began."""

    digest: Fingerprint  # the architecture's folder and the harness it ran in
    architecture: Fingerprint  # the folder alone
    recipe: Fingerprint  # the settings, whatever the size, seed and budget
    is_outside: bool  # the folder is not one of the project's


class Data(Section):
    """Data set by content: fingerprints of the training documents and of the held-out ones."""

    name: str
    source: Literal["hub", "local", "storybook"]
    train_fingerprint: Fingerprint
    heldout_fingerprint: Fingerprint
    num_dropped_duplicates: Count
    # Since schema 4.
    consumed_sha256: Fingerprint | None = None  # of the rows stepped on, in their order
    dropped_sha256: Fingerprint | None = None  # of the dropped documents' text, in their order
    num_round_trips: Count | None = None  # held-out documents that the tokenizer gave back
    cache: Literal["cold", "partial", "warm"] | None = None  # tokens on disk as the race began


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
    # Since schema 4.
    features: list[str] = Field(default_factory=list)
    physical_cores: Count = 0
    cpu_quota: Finite | None = None  # processors' worth of time, of a control group
    memory_limit: Count | None = None  # bytes, of a control group


class Host(Section):
    """The machine around a training: what `records.host` judges.

    Rates are in GFLOP/s of fp32 products on the device of the run. None: not known there.
    """

    matmul_before: Finite | None
    matmul_after: Finite | None
    stolen_share: Finite | None  # of the usable cores' time, by the hypervisor
    others_share: Finite | None  # of it, by other processes


class Energy(Section):
    """Energy and heat of the training that the budget paid for, of all devices of the source.

    None: not known there. Joules of one source are not those of another.
    """

    # rapl: the processor packages, with all that runs on them; nvml: the boards of the GPUs that
    # train; battery: the whole machine while its battery drains.
    source: Literal["rapl", "nvml", "battery"] | None
    joules: Amount | None
    mean_watts: Amount | None
    peak_watts: Amount | None  # over a second or two
    temperature_max_c: Finite | None  # of the hottest package or GPU
    throttled_share: Share | None  # of the time, slowed for heat


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
    "resumed",
    "scored_later",
    "bad_row",
    "overfitting",
    "not_compiled",
    "kernels_dropped",
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
