"""The best size of a budget, those that seeds do not tell apart, and fits without support."""

import pytest
from helpers.sweeps import record

from speedrun.records.summary import summarize
from speedrun.scaling_laws.law import Laws, LossLaw, Points, SpeedLaw
from speedrun.sweep.budget import Budget, cells

SCORES = {250_000: 0.95, 500_000: 0.923, 1_000_000: 0.918, 2_000_000: 0.923, 4_000_000: 0.95}
SPEED = SpeedLaw(fixed=1e-5, scale=0.0, power=1.0)


def budget(scores: dict[int, float], noise: float = 0.002) -> Budget:
    runs = [
        record(size, 1.0, seed, score__bits_per_byte=mean * (1 + noise * (seed - 1)))
        for size, mean in scores.items()
        for seed in range(3)
    ]
    return Budget(1.0, tuple(cells(map(summarize, runs))), None)


def laws(loss: LossLaw) -> Laws:
    sizes = list(SCORES)
    return Laws(loss, SPEED, Points.of(sizes, *[[1.0] * len(sizes)] * 4))


def test_the_best_size_its_equals_and_its_neighbours():
    found = budget(SCORES | {2_000_000: 0.919})
    assert found.best.params == 1_000_000
    assert [cell.params for cell in found.equals] == [2_000_000]
    assert [c.params for c in found.bracket] == [500_000, 1_000_000, 2_000_000, 4_000_000]


def test_noise_is_that_of_a_typical_size_and_assumed_for_one_seed():
    assert budget(SCORES).noise == pytest.approx(0.002)
    one_seed = [summarize(record(size, 1.0, 0)) for size in SCORES]
    assert Budget(1.0, tuple(cells(one_seed)), None).noise == 0.01


def test_a_fit_near_every_good_size_with_its_minimum_elsewhere_is_not_supported():
    """Flat within 1 % around the best size, and still falling at the largest."""
    falling = laws(LossLaw(E=0.915, A=1e3, B=1e-9, alpha=0.9, beta=1.0))
    assert "outside 500K to 2M" in budget(SCORES).problem(falling)


def test_a_fit_through_the_runs_is_supported():
    tokens_as_size = SpeedLaw(fixed=0.0, scale=1e-10, power=1.0)  # 1 / D grows with N
    found = laws(LossLaw(E=0.9, A=9e3, B=5.4e3, alpha=1.0, beta=1.0))
    found = Laws(found.loss, tokens_as_size, found.points)
    assert not budget(SCORES | {250_000: 0.936, 4_000_000: 0.936}).problem(found)
