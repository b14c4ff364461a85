"""What is said about a record, in files of its own beside it: who entered it, who verified it.

A record stays as the race wrote it. Notes are strict, versioned and never changed, like records.
"""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from speedrun.records.sanitize import brief, is_sanitized
from speedrun.records.schema import Count, Fingerprint, Finite, Section, first_wrong, strict_json

MAX_NOTE_BYTES = 64 << 10
MAX_LINE = 100


def one_line(text: str) -> str:
    """Refuse a name that is empty, long or not plain: raises ValueError."""
    if not text.strip() or text != text.strip():
        raise ValueError("must not be empty or begin or end with a space")
    if len(text) > MAX_LINE:
        raise ValueError(f"has {len(text)} characters; allowed are {MAX_LINE}")
    if not is_sanitized(text):
        raise ValueError("control characters and direction marks are not allowed in it")
    return text


def moment(text: str) -> str:
    """Refuse what is not a date and time with its offset: raises ValueError."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{brief(text)} is not a date and time") from None
    if when.tzinfo is None:
        raise ValueError("a date needs its offset, such as +00:00")
    return text


Line = Annotated[str, AfterValidator(one_line)]
Moment = Annotated[str, AfterValidator(moment)]


class Note(Section):
    """The part that all notes share."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1

    def to_json(self) -> str:
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def digest(self) -> str:
        """Twelve hex digits of the content's hash: part of the file's name."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]


class Submission(Note):
    """Who entered a record, when, and what they say is new in it."""

    record: Fingerprint
    name: Line | None
    author: Line | None
    submitted: Moment


class DataSet(Note):
    """The held-out documents that scores on a data set rest on."""

    name: Line
    train_fingerprint: Fingerprint
    heldout_fingerprint: Fingerprint
    num_docs: Count
    num_bytes: Count

    @property
    def heldout(self) -> tuple[str, str]:
        """What tells these held-out documents from others."""
        return self.train_fingerprint, self.heldout_fingerprint

    @property
    def size(self) -> tuple[int, int]:
        return self.num_docs, self.num_bytes


class Rescored(Section):
    """The held-out documents scored anew from the stored weights."""

    agrees: bool
    backend: str
    device: str
    claimed_nats: Finite
    found_nats: Finite | None  # None: not a finite number
    difference: Finite | None  # (found - claimed) / claimed
    allowed: Finite
    checks: list[str]  # that the rebuilt model passed
    failed: list[str]


class Leaks(Section):
    """Held-out text in the part of the training stream that the run consumed."""

    num_documents: Count  # training documents read
    num_equal: Count  # equal to a held-out one: the harness drops these
    num_near: Count  # sharing at least half of a held-out document's 13-word shingles
    agrees: bool  # with the number that the record says was dropped


class Rerun(Section):
    """The same config and seed raced again."""

    agrees: bool  # False: it refutes the claim; what cannot refute, agrees
    record: Fingerprint  # of the run made anew
    hardware_class: str  # another one than the record's cannot refute it
    claimed_bits_per_byte: Finite
    found_bits_per_byte: Finite
    difference: Finite  # (found - claimed) / claimed
    noise: Finite | None  # the entry's own standard deviation over seeds; None below two
    num_seeds: Count
    p_value: Finite | None  # of a rerun this much worse, given that noise


class Verification(Note):
    """What somebody found who checked a record."""

    record: Fingerprint
    by: Line
    verified: Moment
    hardware_class: str
    versions: dict[str, str]
    code: str  # commit, or version where there is none
    rescored: Rescored | None
    leaks: Leaks | None
    rerun: Rerun | None

    @property
    def agrees(self) -> bool:
        found = (self.rescored, self.leaks, self.rerun)
        return all(part.agrees for part in found if part is not None)


N = TypeVar("N", bound=Note)


def parse_note(kind: type[N], raw: bytes, where: str) -> N:
    """The note in these bytes. Raises ValueError that names `where` for anything else."""
    if len(raw) > MAX_NOTE_BYTES:
        raise ValueError(f"{where}: larger than a note may be ({MAX_NOTE_BYTES} bytes)")
    what = kind.__name__.lower()
    try:
        strict_json(raw)
        return kind.model_validate_json(raw)
    except ValidationError as error:
        raise ValueError(f"{where}: not a {what} note ({first_wrong(error)})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not a {what} note ({error})") from None
