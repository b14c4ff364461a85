"""Tracks: which runs compare, and where a run stands among those it compares with."""

from collections.abc import Iterable
from typing import NamedTuple

from speedrun.records.summary import Summary


class Track(NamedTuple):
    """Data, held-out documents, budget and hardware class; results compare only inside one."""

    data_name: str  # for people: a local copy is named after its folder
    train_fingerprint: str
    heldout_fingerprint: str
    num_docs: int
    budget_s: float
    hardware_class: str

    def __eq__(self, other: object) -> bool:
        """Whether data, by their content, and all else are the same; names have no part in it."""
        return isinstance(other, Track) and self[1:] == other[1:]

    def __hash__(self) -> int:
        return hash(self[1:])

    @classmethod
    def of(cls, run: Summary) -> "Track":
        """The track that a run belongs to."""
        return cls(*(getattr(run, name) for name in cls._fields))

    @property
    def label(self) -> str:
        """`tinystories@ff16+2ef0 · 2000 documents · 5 min · cpu-x86_64-2c-amx`."""
        return (
            f"{self.data_name}@{self.train_fingerprint[:4]}+{self.heldout_fingerprint[:4]} ·"
            f" {self.num_docs} documents ·"
            f" {self.budget_s / 60:g} min · {self.hardware_class}"
        )


class Standing(NamedTuple):
    """A run's place among the ranked runs of its track."""

    place: int
    num_runs: int
    best: Summary | None  # the best of the others


def standing(run: Summary, others: Iterable[Summary]) -> Standing:
    """The place of a ranked run by bits per byte; bounds come after exact scores."""

    def key(run: Summary) -> tuple[bool, float]:
        return run.likelihood == "bound", run.bits_per_byte

    track = Track.of(run)
    ranked = (o for o in others if o.id != run.id and o.unranked_because is None)
    rivals = sorted((other for other in ranked if Track.of(other) == track), key=key)
    place = 1 + sum(key(other) < key(run) for other in rivals)
    return Standing(place, len(rivals) + 1, rivals[0] if rivals else None)
