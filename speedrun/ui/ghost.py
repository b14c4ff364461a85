"""Ghosts: finished races of the same kind, and how far a race is ahead of them and will be.

The training loss at the same share of the budget is compared, as both schedules follow the share.
"""

import bisect
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from speedrun.config import Run
from speedrun.records import files
from speedrun.records.files import read_runs
from speedrun.records.schema import Record
from speedrun.records.summary import data_id, unranked_because
from speedrun.ui.chart import Curve

_MOST_READ = 50  # runs in a folder, the newest
_WINDOW = 0.03  # of the budget, over which a loss is averaged
_LEAST_SHARE = 0.05  # of the budget, before which losses say nothing
_MIN_CURVES = 4  # finished races from which a relation and its spread are taken
# Where there are fewer: assumptions on the score, between seeds, and on the share of a lead that
# is left at the end, if it is seen at the start or the end.
_SEED_NOISE = 0.006
_HELD = (0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A score that a race is expected to have, its standard error, and the curves behind both."""

    bits_per_byte: float
    error: float
    num_curves: int  # 0: assumptions

    def chance_below(self, bits_per_byte: float) -> float:
        """Probability that the score will be better than this one."""
        return NormalDist(self.bits_per_byte, self.error).cdf(bits_per_byte)


@dataclass(frozen=True)
class Ghost:
    """A finished race: its name for people, score and training curve."""

    name: str
    bits_per_byte: float
    curve: Curve

    def lead_of(self, share: float, curve: Curve) -> float | None:
        """ln of this race's loss over that of a curve, at this share; None where not known."""
        own, other = _level(self.curve, share), _level(curve, share)
        return None if own is None or other is None else math.log(own / other)

    def projection(self, share: float, lead: float) -> Projection:
        """The score of a race with this lead, under the assumptions."""
        early, late = _HELD
        kept = lead * (early + (late - early) * share)
        score = self.bits_per_byte * math.exp(-kept)
        error = score * (abs(lead) * (1 - share) / 2 + _SEED_NOISE)
        return Projection(bits_per_byte=score, error=error, num_curves=0)


@dataclass(frozen=True)
class Rivals:
    """Finished races to compare one with: the ghosts, and those whose curves project its score."""

    ghosts: Sequence[Ghost] = ()
    finished: Sequence[Ghost] = ()  # the nearest in kind of which there are enough; or none

    def projection(self, share: float, curve: Curve) -> Projection | None:
        """The score that a race with this curve will have; None where that is not known yet.

        ln(bits per byte / loss at this share) of a finished race is known: its mean over them
        projects, and its standard deviation over them, with that of the mean, is the error.
        """
        if (level := _level(curve, share)) is None:
            return None
        levels = [(one, _level(one.curve, share)) for one in self.finished]
        ratios = [math.log(one.bits_per_byte / at) for one, at in levels if at is not None]
        if len(ratios) >= _MIN_CURVES:
            score = level * math.exp(statistics.fmean(ratios))
            spread = max(1e-4, statistics.stdev(ratios) * math.sqrt(1 + 1 / len(ratios)))
            return Projection(bits_per_byte=score, error=score * spread, num_curves=len(ratios))
        leads = [(one, one.lead_of(share, curve)) for one in self.ghosts]
        known = [(one, lead) for one, lead in leads if lead is not None]
        if not known:
            return None
        nearest, lead = min(known, key=lambda pair: abs(pair[1]))
        return nearest.projection(share, lead)


def _share(point: tuple[float, float | None]) -> float:
    return point[0]


def _level(curve: Curve, share: float) -> float | None:
    """Mean loss of a curve up to a share; None where it has no finite one, or says nothing yet."""
    if share < _LEAST_SHARE:
        return None
    start, end = (bisect.bisect(curve, at, key=_share) for at in (share - _WINDOW, share))
    near = [loss for _, loss in curve[start:end] if loss is not None]
    mean = sum(near) / len(near) if near else math.nan
    return mean if math.isfinite(mean) and mean > 0 else None


def find(run: Run, train_fingerprint: str, hardware_class: str, out: Path) -> Rivals:
    """The best finished race in `out`, the best on the board for this hardware class, and others.

    All are of the same data, budget, vocabulary and number of held-out documents. Those that
    project are of the same settings on this hardware, else of these settings, else of the
    architecture: the first of which there are enough.
    """

    def is_alike(record: Record) -> bool:
        return (
            unranked_because(record) is None
            and record.score is not None
            and record.score.likelihood == "exact"
            and data_id(record.data.train_fingerprint) == data_id(train_fingerprint)
            and (record.budget_s, record.tokenizer.vocab) == (run.budget_s, run.model.vocab)
            and record.config["data"].get("eval_docs") == run.data.eval_docs
        )

    def is_here(record: Record) -> bool:
        return record.hardware.hardware_class == hardware_class

    newest = list(read_runs(out))[-_MOST_READ:] if out.is_dir() else []
    own = {record.id: record for _, record in newest if is_alike(record)}
    board = {record.id: record for record in files.board_records() if is_alike(record)}
    entered = [record for record in board.values() if is_here(record)]
    best = [("your best run", list(own.values())), ("the best on the board", entered)]
    ghosts = [_ghost(name, min(records, key=_score)) for name, records in best if records]
    every = [one for one in (own | board).values() if one.arch == run.arch]
    same = [one for one in every if _settings(one.config) == _settings(run.as_dict())]
    here = [one for one in same if is_here(one)]
    enough = (found for found in (here, same, every) if len(found) >= _MIN_CURVES)
    return Rivals(ghosts, [_ghost(one.id, one) for one in next(enough, [])])


def _settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: config.get(name) for name in ("model", "recipe")}


def _ghost(name: str, record: Record) -> Ghost:
    return Ghost(name, _score(record), record.train.loss_curve)


def _score(record: Record) -> float:
    assert record.score is not None
    return record.score.bits_per_byte
