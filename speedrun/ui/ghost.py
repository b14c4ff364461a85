"""Ghosts: finished races of the same kind, and how far a race is ahead of them.

The training loss at the same share of the budget is compared, as both schedules follow the share.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speedrun.config import Run
from speedrun.records.files import OWN_RECORDS, read_runs
from speedrun.records.schema import Record, load
from speedrun.records.summary import data_id, unranked_because

_MOST_READ = 50  # runs in a folder, the newest
_WINDOW = 0.03  # of the budget, over which a loss is averaged
_LEAST_SHARE = 0.05  # of the budget, before which losses say nothing
_SEED_NOISE = 0.006  # of the score, between seeds
_HELD = (0.5, 1.0)  # share of a lead that is left at the end, if it is seen at the start or the end

Curve = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Ghost:
    """A finished race: its name for people, score and training curve."""

    name: str
    bits_per_byte: float
    curve: Curve

    def lead_of(self, share: float, curve: Curve) -> float | None:
        """ln of this race's loss over that of a curve, at this share; None where not known."""
        if share < _LEAST_SHARE:
            return None
        own, other = _level(self.curve, share), _level(curve, share)
        return None if own is None or other is None else float(np.log(own / other))

    def projected(self, share: float, lead: float) -> tuple[float, float]:
        """The score that a race with this lead will have, and its uncertainty."""
        early, late = _HELD
        kept = lead * (early + (late - early) * share)
        score = self.bits_per_byte * float(np.exp(-kept))
        return score, score * (abs(lead) * (1 - share) / 2 + _SEED_NOISE)


def _level(curve: Curve, share: float) -> float | None:
    """Mean loss of a curve up to a share; None where it has no finite one there."""
    near = [loss for at, loss in curve if share - _WINDOW <= at <= share and loss is not None]
    mean = float(np.mean(near)) if near else float("nan")
    return mean if np.isfinite(mean) and mean > 0 else None


def find(run: Run, train_fingerprint: str, hardware_class: str, out: Path) -> list[Ghost]:
    """The best finished race in `out`, and the best on the board for this hardware class.

    Both are of the same data, budget, vocabulary and number of held-out documents.
    """

    def is_alike(record: Record) -> bool:
        return (
            unranked_because(record) is None
            and data_id(record.data.train_fingerprint) == data_id(train_fingerprint)
            and (record.budget_s, record.tokenizer.vocab) == (run.budget_s, run.model.vocab)
            and record.config["data"].get("eval_docs") == run.data.eval_docs
        )

    newest = list(read_runs(out))[-_MOST_READ:] if out.is_dir() else []
    own = [record for _, record in newest if is_alike(record)]
    board = [
        record
        for record in _board()
        if record.hardware.hardware_class == hardware_class and is_alike(record)
    ]
    found = [("your best run", own), ("the best on the board", board)]
    return [_ghost(name, records) for name, records in found if any(_exact(records))]


def _exact(records: Iterable[Record]) -> list[Record]:
    return [one for one in records if one.score is not None and one.score.likelihood == "exact"]


def _ghost(name: str, records: Iterable[Record]) -> Ghost:
    best = min(_exact(records), key=_score)
    return Ghost(name, _score(best), best.train.loss_curve)


def _score(record: Record) -> float:
    assert record.score is not None
    return record.score.bits_per_byte


def _board() -> Iterator[Record]:
    """The records that come with the project."""
    for path in sorted(OWN_RECORDS.glob("*.json")):
        if "." not in path.stem:  # not a note about a record
            try:
                yield load(path)
            except (ValueError, OSError):
                continue
