"""Record of a run: one versioned schema, immutable, identified by the hash of its content."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from speedrun.records.sections import (
    Clock,
    Code,
    Data,
    Energy,
    Hardware,
    Host,
    Sample,
    Score,
    Source,
    Tokenizer,
    Train,
)
from speedrun.records.strict_json import Count, Fingerprint, Seconds, Section, parse_section

SCHEMA = 5
MAX_RECORD_BYTES = 1 << 20
# Required since a schema, unknown before it: by section, "" for the record itself.
NEW_FIELDS: dict[int, dict[str, tuple[str, ...]]] = {
    3: {"": ("argv",)},
    4: {
        "": ("source", "host"),
        "data": ("consumed_sha256", "dropped_sha256", "num_round_trips", "cache"),
        "hardware": ("features", "physical_cores", "cpu_quota", "memory_limit"),
    },
    5: {"": ("energy", "resumes")},
}


class Record(Section):
    """One run. Its score is missing where training diverged, or where it is still to be scored.

    Its sample is missing there, too, and where sampling failed, which an event then says.
    """

    schema_version: Annotated[Literal[1, 2, 3, 4, 5], Field(alias="schema")] = SCHEMA
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
    source: Source | None = None  # since schema 4
    data: Data
    tokenizer: Tokenizer
    hardware: Hardware
    host: Host | None = None  # since schema 4
    energy: Energy | None = None  # since schema 5
    # Seconds of the budget spent as the run was resumed from a checkpoint, each time; since schema
    # 5, empty for an unbroken run.
    resumes: list[Seconds] = Field(default_factory=list)
    versions: dict[str, str]
    clock: Clock
    train: Train
    score: Score | None
    sample: Sample | None
    weights_sha256: Fingerprint

    @model_validator(mode="after")
    def _has_the_fields_of_its_schema(self) -> "Record":
        """Fields are required since the schema that brought them, and unknown before."""
        for since, sections in NEW_FIELDS.items():
            for section, names in sections.items():
                given = (getattr(self, section) if section else self).model_fields_set
                for name in names:
                    self._check(since, f"{section}.{name}".removeprefix("."), name in given)
        for name, since in (("source", 4), ("host", 4), ("energy", 5)):
            if self.schema_version >= since and getattr(self, name) is None:
                raise ValueError(f"{name} is null")
        for event in self.train.events:
            self._check(3, "the kind of an event", "kind" in event.model_fields_set)
        return self

    def _check(self, since: int, name: str, is_given: bool) -> None:
        if is_given != (is_known := self.schema_version >= since):
            problem = "missing" if is_known else f"unknown before schema {since}"
            raise ValueError(f"{name} is {problem}")

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
    """The record of this content, with its id; of the schema that it names, or else the newest."""
    unsealed = Record.model_validate({"schema": SCHEMA, **content, "id": ""}, strict=False)
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
