"""Record of a duel: two sides, their paired races, and seeds that follow from the sides.

Two sides race in pairs, in one sitting on one machine: A B, B A, A B, … Both runs of a pair have
one seed, and that follows from the sides and the number of the attempt: nobody picks it, and a
checker computes it again. A pair during which the host was disturbed stays in the list, does not
count, and its index is raced again as the next attempt.

`hardware_class` is the class of the machine by the code that held the duel, for both sides: code
of another commit may have named the same machine otherwise. A reader that puts runs of a duel into
tracks takes this class for records of a schema before 4, and for all others their own, which must
be equal to it. Fingerprints of one data set that differ between versions of the code are mapped by
`summary.data_id`, as for any record.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from speedrun.records.argv import option_pairs, without_seed
from speedrun.records.host import unfit_because
from speedrun.records.schema import Record, content_id
from speedrun.records.sections import Host
from speedrun.records.strict_json import Count, Fingerprint, Seconds, Section, parse_section
from speedrun.records.summary import unranked_because

DUEL = "duel.json"  # in the folder of a duel
MAX_DUEL_BYTES = 1 << 20
SideName = Literal["a", "b"]
SIDES: tuple[SideName, ...] = get_args(SideName)
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class DuelSide(Section):
    """One side: its command line, without seed, data and output, and the code that runs it.

    `source` is the digest of the source, as in the records of its runs; for a side with a
    `commit`, which was checked out for it, it is `commit:` and the commit.
    """

    label: Annotated[str, Field(min_length=1, max_length=120)]
    commit: Commit | None
    source: Annotated[str, Field(min_length=1, max_length=80)]
    argv: list[str]

    def problem(self, record: Record, source: str) -> str | None:
        """The reason why a record is no run of this side; `source` is that of its summary.

        A side with a commit may leave out options that its records name with their defaults, and
        records before schema 3, which have no argv, are judged by their settings.
        """
        if self.commit is None and source != self.source:
            return f"its source is {source[:12]}, the side's is {self.source[:12]}"
        if self.commit is not None:
            if record.code.commit != self.commit:
                return f"its commit is {(record.code.commit or 'unknown')[:12]}"
            if record.code.dirty is not False:
                return "its code was changed after the commit"
        own = option_pairs(self.argv)
        if record.schema_version < 3:
            known = _settings(record)
            changed = [pair for pair in own if known.get(pair[0], pair[1]) != pair[1]]
        else:
            given = Counter(option_pairs(without_seed(record.argv)))
            more = given - Counter(own) if self.commit is None else Counter()
            changed = [*(Counter(own) - given), *more]
        return f"it was raced with another {changed[0][0]}" if changed else None


class DuelPair(Section):
    """Two runs of one seed; `disturbed` says why they do not count.

    A host is given for a record before schema 4, which does not say: measured around the whole
    race, on the processor.
    """

    index: Count
    seed: Count
    first: SideName
    a: Fingerprint
    b: Fingerprint
    a_bits_per_byte: Positive
    b_bits_per_byte: Positive
    disturbed: Annotated[str, Field(min_length=1, max_length=300)] | None
    a_host: Host | None = None
    b_host: Host | None = None

    def why_disturbed(self, a: Record, b: Record) -> str | None:
        """The reason why the records of the two runs do not let them count; None if they do."""
        hosts = {"A": (a, self.a_host), "B": (b, self.b_host)}
        for letter, (record, host) in hosts.items():
            if record.schema_version < 4:
                record = record.model_copy(update={"host": host})
            if why := unranked_because(record) or unfit_because(record):
                return f"{letter}: {why}"[:300]
        return None

    @property
    def ln_ratio(self) -> float:
        """ln(b / a) of bits per byte: below 0 where B is better."""
        return math.log(self.b_bits_per_byte / self.a_bits_per_byte)


class Duel(Section):
    """A duel with all its pairs so far, in the order in which they were raced."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    id: Fingerprint | Literal[""] = ""
    created: str
    hardware_class: Annotated[str, Field(min_length=1, max_length=120)]
    a: DuelSide
    b: DuelSide
    budget_s: Annotated[Seconds, Field(gt=0)]
    planned_pairs: Annotated[int, Field(ge=1, le=1000)]
    stop: Literal["fixed", "early"]
    pairs: list[DuelPair]

    @model_validator(mode="after")
    def _is_in_turn(self) -> "Duel":
        """Indices, seeds and order follow from what came before."""
        index = 0
        for attempt, pair in enumerate(self.pairs):
            if pair.index != index:
                raise ValueError(f"pair {attempt}: its index is {pair.index}, not {index}")
            if pair.first != first_of(index):
                raise ValueError(f"pair {attempt}: {first_of(index)} is the first to race")
            if pair.seed != self.seed(attempt):
                raise ValueError(f"pair {attempt}: its seed does not follow from sides and plan")
            index += pair.disturbed is None
        if index > self.planned_pairs:
            raise ValueError(f"{index} counted pairs, and {self.planned_pairs} are planned")
        return self

    def seed(self, attempt: int) -> int:
        """Seed of the runs of an attempt, disturbed ones counted; below 2^31.

        The plan has a part in it: a duel cut to its best beginning is not one that was planned so.
        """
        sides = [[side.source, side.commit, side.argv] for side in (self.a, self.b)]
        plan = [self.budget_s, self.planned_pairs, self.stop, attempt]
        text = json.dumps([*sides, *plan], separators=(",", ":"), ensure_ascii=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1

    @property
    def counted(self) -> list[DuelPair]:
        """Pairs that were not disturbed."""
        return [pair for pair in self.pairs if pair.disturbed is None]

    @property
    def num_disturbed(self) -> int:
        """Number of pairs that do not count."""
        return len(self.pairs) - len(self.counted)

    @property
    def ln_ratios(self) -> list[float]:
        """ln(b / a) of each counted pair, in the order of the races."""
        return [pair.ln_ratio for pair in self.counted]

    @property
    def records(self) -> list[str]:
        """Ids of all runs, those of disturbed pairs too, in the order of the races."""
        return [getattr(p, side) for p in self.pairs for side in (p.first, other(p.first))]

    def sealed(self, pairs: Sequence[DuelPair] | None = None) -> "Duel":
        """The duel with these pairs, or its own, and the id of its content."""
        pairs = self.pairs if pairs is None else pairs
        content = {**self.content(), "pairs": [pair.content() for pair in pairs], "id": ""}
        return Duel.model_validate({**content, "id": content_id(content)})


def other(side: SideName) -> SideName:
    """The other side."""
    return "b" if side == "a" else "a"


def first_of(index: int) -> SideName:
    """The side that starts a pair: A B, B A, A B, … cancels a drift of the host."""
    return "b" if index % 2 else "a"


def parse_duel(raw: bytes, where: str) -> Duel:
    """The duel in these bytes; ValueError, beginning with `where`, for anything else."""
    content, duel = parse_section(Duel, raw, where, limit=MAX_DUEL_BYTES)
    if duel.id != content_id(content):
        raise ValueError(f"{where}: its id does not match its content; it was changed afterwards")
    return duel


def _settings(record: Record) -> dict[str, str]:
    """Options of a record without argv, as far as its settings tell them."""
    data = record.config.get("data")
    docs = data.get("eval_docs") if isinstance(data, dict) else None
    return {
        "--arch": record.arch,  # a folder outside the project is not told apart
        "--recipe": str(record.config.get("recipe_name")),
        "--minutes": f"{record.budget_s / 60:g}",
        "--eval-docs": "all" if docs is None else str(docs),
        "--vocab": str(record.tokenizer.vocab),
    }
