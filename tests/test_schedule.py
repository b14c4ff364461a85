"""Schedules read the share of the budget and nothing else."""

import pytest

from speedrun.schedule import SCHEDULES, cosine, trapezoid


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_stay_between_zero_and_one(name):
    scale = SCHEDULES[name](warmup=0.1, cooldown=0.5, floor=0.05)
    values = [scale(i / 1000) for i in range(1001)]
    assert min(values) >= 0 and max(values) <= 1
    assert max(values) == pytest.approx(1, abs=1e-3)
    assert values[-1] == pytest.approx(0.05)


def test_trapezoid_is_flat_until_its_cooldown_then_a_line():
    scale = trapezoid(warmup=0.0, cooldown=0.6, floor=0.0)
    assert scale(0.0) == scale(0.4) == 1.0
    assert scale(0.7) == pytest.approx(0.5)
    assert scale(1.0) == 0.0
    assert trapezoid(warmup=0.0, cooldown=0.0, floor=0.0)(1.0) == 1.0
    assert trapezoid(warmup=0.2, cooldown=0.5, floor=0.0)(0.1) == pytest.approx(0.5)


def test_cosine_is_half_way_down_in_the_middle():
    scale = cosine(warmup=0.0, cooldown=0.0, floor=0.1)
    assert scale(0.0) == 1.0
    assert scale(0.5) == pytest.approx(0.55)
