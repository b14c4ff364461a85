"""What compares with what, and who is ahead."""

from collections.abc import Iterable
from dataclasses import dataclass

from leaderboard.record import Record

# A race whose last step ran this share of the budget past its end does not rank.
MAX_OVERSHOOT = 0.005


def track(record: Record) -> tuple[str, ...]:
    """Records compare only inside one track: data, held-out split, budget, hardware class."""
    return (
        record.data.train_fingerprint,
        record.data.heldout_fingerprint,
        f"{record.budget_s:g}",
        record.hardware.hardware_class,
    )


def unranked_because(record: Record) -> str | None:
    """Why a run does not rank; None if it does."""
    if record.status != "complete":
        return f"the run is {record.status}"
    if record.score is None:
        return "the run has no score"
    if record.clock.suspended_s > 0:
        return f"the machine slept or stood still for {record.clock.suspended_s:.1f} s"
    if record.clock.overshoot_s > MAX_OVERSHOOT * record.budget_s:
        return f"it ran {record.clock.overshoot_s:.2f} s past its budget"
    return None


@dataclass(frozen=True)
class Standing:
    """A run's place among the ranked runs of its track."""

    place: int
    num_runs: int
    best: Record | None  # the best of the others


def standing(record: Record, others: Iterable[Record]) -> Standing:
    """Where a ranked run stands by bits per byte; bounds stand behind exact scores."""
    rivals = [
        other
        for other in others
        if other.id != record.id
        and track(other) == track(record)
        and unranked_because(other) is None
    ]
    ahead = [other for other in rivals if _key(other) < _key(record)]
    best = min(rivals, key=_key, default=None)
    return Standing(len(ahead) + 1, len(rivals) + 1, best)


def _key(record: Record) -> tuple[bool, float]:
    assert record.score is not None  # ranked runs have one
    return record.score.likelihood == "bound", record.score.bits_per_byte
