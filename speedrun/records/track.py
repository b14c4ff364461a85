"""Tracks: which runs compare, and where a run stands among those it compares with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from speedrun.records.summary import Summary


class Track(NamedTuple):
    """Data, held-out documents, budget and hardware class; results compare only inside one."""

    data_name: str
    train_fingerprint: str
    heldout_fingerprint: str
    num_docs: int
    budget_s: float
    hardware_class: str

    @classmethod
    def of(cls, run: Summary) -> "Track":
        """The track that a run belongs to."""
        return cls(*(getattr(run, name) for name in cls._fields))

    @property
    def label(self) -> str:
        """`tinystories@ff16 · 2000 documents · 5 min · cpu-x86_64-2c-amx`."""
        return (
            f"{self.data_name}@{self.train_fingerprint[:4]} · {self.num_docs} documents ·"
            f" {self.budget_s / 60:g} min · {self.hardware_class}"
        )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A run's place among the ranked runs of its track."""

    place: int
    num_runs: int
    best: Summary | None  # the best of the others


def standing(run: Summary, others: Iterable[Summary]) -> Standing:
    """The place of a ranked run by bits per byte; bounds come after exact scores."""
    track = Track.of(run)
    rivals = [
        other
        for other in others
        if other.id != run.id and Track.of(other) == track and other.unranked_because is None
    ]
    ahead = [other for other in rivals if _sort_key(other) < _sort_key(run)]
    best = min(rivals, key=_sort_key, default=None)
    return Standing(place=len(ahead) + 1, num_runs=len(rivals) + 1, best=best)


def _sort_key(run: Summary) -> tuple[bool, float]:
    return run.likelihood == "bound", run.bits_per_byte
