"""One budget of a sweep: its cells, its fit, and whether that fit supports an optimum."""

import collections
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from speedrun.records.statistics import Spread, over_seeds
from speedrun.records.summary import Summary
from speedrun.scaling_laws import law
from speedrun.scaling_laws.law import Laws, LossLaw, Optimum
from speedrun.text import format_size

_NOISE_ONE_SEED = 0.01  # of log bits per byte, assumed where no size has a second seed
_SMALLEST_MISS = 0.01  # of bits per byte: a law is no closer to runs of a shared machine


@dataclass(frozen=True)
class Cell:
    """One size under one budget, all its seeds."""

    params: int
    minutes: float
    runs: tuple[Summary, ...]

    @property
    def bits_per_byte(self) -> Spread:
        """Mean and deviation over the seeds."""
        return over_seeds(self.runs, "bits_per_byte")

    @property
    def num_tokens(self) -> float:
        """Median of the training tokens."""
        return statistics.median(run.num_tokens for run in self.runs)

    @property
    def tokens_per_s(self) -> float:
        """Median of the speed."""
        return statistics.median(run.tokens_per_s for run in self.runs)

    def residual(self, loss: LossLaw) -> float:
        """Median of log(measured / law) over the runs."""
        return statistics.median(
            math.log(run.bits_per_byte / loss(run.num_params, run.num_tokens)) for run in self.runs
        )

    def off(self, laws: Laws) -> float:
        """Mean score over that of the laws, speed included, as a share: +0.02 is 2 % worse."""
        predicted = law.time_loss(laws.loss, laws.speed, self.params, 60 * self.minutes)
        return self.bits_per_byte.mean / float(predicted) - 1


def cells(runs: Iterable[Summary]) -> list[Cell]:
    """Runs by budget, then size."""
    found: dict[tuple[float, int], list[Summary]] = collections.defaultdict(list)
    for run in runs:
        found[run.budget_s, run.num_params].append(run)
    return [
        Cell(size, budget_s / 60, tuple(its)) for (budget_s, size), its in sorted(found.items())
    ]


@dataclass(frozen=True)
class Budget:
    """All sizes under one budget, and the laws fitted to them alone."""

    minutes: float
    cells: tuple[Cell, ...]  # sizes ascend
    laws: Laws | None  # None with too few sizes

    @cached_property
    def best(self) -> Cell:
        """The size of the least mean score."""
        return min(self.cells, key=lambda cell: cell.bits_per_byte.mean)

    @cached_property
    def noise(self) -> float:
        """Deviation between the seeds of a size, as a share of the score: the median of sizes."""
        spreads = [cell.bits_per_byte for cell in self.cells]
        found = [one.sd / one.mean for one in spreads if one.sd is not None]
        return statistics.median(found) if found else _NOISE_ONE_SEED

    @cached_property
    def equals(self) -> list[Cell]:
        """The other sizes that seeds do not tell apart from the best: within two deviations."""

        def is_near(cell: Cell) -> bool:
            deviation = self.noise * math.sqrt(1 / len(cell.runs) + 1 / len(self.best.runs))
            worse = math.log(cell.bits_per_byte.mean / self.best.bits_per_byte.mean)
            return worse <= 2 * deviation

        return [cell for cell in self.cells if cell is not self.best and is_near(cell)]

    @cached_property
    def bracket(self) -> tuple[Cell, ...]:
        """The best size, its equals, and the next size on either side."""
        near = [self.cells.index(cell) for cell in (self.best, *self.equals)]
        return self.cells[max(0, min(near) - 1) : max(near) + 2]

    def misses(self, laws: Laws) -> list[Cell]:
        """Cells of the bracket that laws miss by more than the noise of their means."""

        def allowed(cell: Cell) -> float:
            return max(_SMALLEST_MISS, 2 * self.noise / math.sqrt(len(cell.runs)))

        return [cell for cell in self.bracket if abs(cell.off(laws)) > allowed(cell)]

    def problem(self, laws: Laws) -> str:
        """The reason why the runs support no optimum of these laws; empty where they do."""
        near = [cell.params for cell in (self.best, *self.equals)]
        if len(near) == len(self.cells):
            return "No size differs from the best by more than its seeds: race sizes further apart."
        if missed := self.misses(laws):
            found = ", ".join(f"{format_size(c.params)} by {c.off(laws):+.1%}" for c in missed)
            return (
                f"Near the best size the fit misses {found}, more than seeds differ: race more"
                " seeds, on a quiet machine."
            )
        size = law.optimum(laws, self.minutes, is_swept=True).params
        first, *_, last = (cell.params for cell in self.bracket)
        if first < size < last or min(near) <= size <= max(near):
            return ""
        return (
            f"The fit has its minimum outside {format_size(first)} to {format_size(last)}, the"
            " sizes around the best one: race more sizes there, or more seeds."
        )

    @cached_property
    def optimum(self) -> Optimum | None:
        """The optimum by a fit that the runs support, else None."""
        if self.laws is None or self.problem(self.laws):
            return None
        return law.optimum(self.laws, self.minutes, is_swept=True)
