"""Attestations: small files beside a record that say who submitted it and who verified it.

A record stays as its run wrote it. Attestations are strict, versioned and immutable, too.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from speedrun.records.sanitize import brief, is_sanitized
from speedrun.records.strict_json import Count, Fingerprint, Finite, Section, parse_section

MAX_NOTE_BYTES = 64 << 10
MAX_LINE = 100


def one_line(text: str) -> str:
    """The name, unchanged; ValueError for one that is empty, too long or not printable."""
    if not text.strip() or text != text.strip():
        raise ValueError("must not be empty or begin or end with a space")
    if len(text) > MAX_LINE:
        raise ValueError(f"has {len(text)} characters; allowed are {MAX_LINE}")
    if not is_sanitized(text):
        raise ValueError("control characters and direction marks are not allowed in it")
    return text


def parse_time(text: str) -> datetime:
    """The moment of an ISO date and time; ValueError for one without its offset from UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{brief(text)} is not a date and time") from None
    if when.tzinfo is None:
        raise ValueError("a date needs its offset, such as +00:00")
    return when


Line = Annotated[str, AfterValidator(one_line)]
Time = Annotated[str, AfterValidator(lambda text: parse_time(text) and text)]


class Note(Section):
    """Base of all attestations."""

    FILE: ClassVar[str]
    schema_version: Literal[1, 2] = Field(default=1, alias="schema")

    @model_validator(mode="after")
    def _has_its_schema(self) -> Self:
        if (self.schema_version == 2) != (getattr(self, "second", None) is not None):
            raise ValueError("schema 2 is that of notes with a second held-out set")
        return self

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """The note in these bytes; ValueError, beginning with `where`, for anything else."""
        name = f"{cls.__name__.lower()} note"
        return parse_section(cls, raw, where, limit=MAX_NOTE_BYTES, name=name)[1]

    def digest(self) -> str:
        """Twelve hex digits of the content's hash: part of the file's name."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    @property
    def file_name(self) -> str:
        """The name of the note's file in a store."""
        return self.FILE.format(note=self, digest=self.digest())


class Submission(Note):
    """The author of a record, the date it was submitted, and a name for what is new in it."""

    FILE = "{note.record}.submission.json"  # one for each record: the first submission stays
    record: Fingerprint
    name: Line | None
    author: Line | None
    submitted: Time


class DataSet(Note):
    """Name and size of the held-out documents that scores on a data set rest on."""

    FILE = "{digest}.data.json"
    name: Line
    train_fingerprint: Fingerprint
    heldout_fingerprint: Fingerprint
    num_docs: Count
    num_bytes: Count

    @property
    def heldout(self) -> tuple[str, str]:
        """Identity of the held-out documents."""
        return self.train_fingerprint, self.heldout_fingerprint

    @property
    def size(self) -> tuple[int, int]:
        """Documents and bytes."""
        return self.num_docs, self.num_bytes


class Rescored(Section):
    """The held-out documents scored again from the stored weights."""

    agrees: bool
    backend: str
    device: str
    claimed_nats: Finite
    found_nats: Finite | None  # None: not a finite number
    difference: Finite | None  # (found - claimed) / claimed
    allowed: Finite
    checks: list[str]  # fairness checks that the rebuilt model passed
    failed: list[str]


class Leaks(Section):
    """Held-out text in the part of the training stream that the run consumed."""

    num_documents: Count  # training documents read
    num_equal: Count  # equal to a held-out one: the harness drops these
    num_near: Count  # sharing at least half of a held-out document's 13-word shingles
    agrees: bool  # with the record, in the documents dropped and all that follows
    # With its hash of the tokens consumed, and with a vocabulary learnt anew. None: not compared.
    consumed_agrees: bool | None = None
    tokenizer_agrees: bool | None = None

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Older notes have neither, and keep their names."""
        return {name: value for name, value in handler(self).items() if value is not None}


class Rerun(Section):
    """The same config and seed run again."""

    agrees: bool  # False: it refutes the claim; what cannot refute, agrees
    record: Fingerprint  # of the new run
    hardware_class: str  # another one than the record's cannot refute it
    claimed_bits_per_byte: Finite
    found_bits_per_byte: Finite
    difference: Finite  # (found - claimed) / claimed
    noise: Finite | None  # standard deviation that it was judged with
    num_seeds: Count  # of the entry
    p_value: Finite | None  # of reruns as bad as all of the entry's; None: it cannot refute


class SecondHeldOut(Section):
    """The score on the held-out documents that follow the scored ones; it ranks nothing."""

    num_docs: Count
    bits_per_byte: Finite
    difference: Finite  # from the bits per byte found on the scored documents
    adjusted: Finite  # the difference at equal word frequencies
    adjusted_se: Finite  # its standard error over documents
    p_value: Finite  # of a difference as large by the choice of documents alone
    is_explained: bool  # by that choice


class Verification(Note):
    """The result of verifying a record: by whom, on which machine, with which code.

    Schema 2 adds the second held-out set; a note without one stays in schema 1.
    """

    FILE = "{note.record}.verification.{digest}.json"
    record: Fingerprint
    by: Line
    verified: Time
    hardware_class: str
    versions: dict[str, str]
    code: str  # commit, or version where there is none
    rescored: Rescored | None
    leaks: Leaks | None
    rerun: Rerun | None
    second: SecondHeldOut | None = None

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Notes of schema 1 keep their names."""
        found = handler(self)
        return found if self.second else {k: v for k, v in found.items() if k != "second"}

    @property
    def agrees(self) -> bool:
        """Whether nothing that was checked contradicts the record.

        A second held-out set may doubt a score and never refutes it: other documents, other score.
        """
        return all(part.agrees for part in (self.rescored, self.leaks, self.rerun) if part)


# By the part of the file name.
NOTES = {"submission": Submission, "verification": Verification, "data": DataSet}
