"""Known laws come back from noisy points; the optimum of a known law is found."""

import numpy as np
import pytest
from helpers import sweeps
from helpers.sweeps import LOSS, SPEED
from hypothesis import given, settings
from hypothesis import strategies as st

from speedrun.scaling_laws import fit, law
from speedrun.scaling_laws.law import LossLaw, Points, SpeedLaw

SIZES = np.array(sweeps.SIZES, float)
few = settings(max_examples=5, deadline=None, derandomize=True)


def swept(loss=LOSS, speed=SPEED, *, minutes=(1.0,), noise=0.004, busy=0.1, seed=0) -> Points:
    """Three runs a size of these laws: log noise in the loss, on a sometimes busy machine."""
    rng = np.random.default_rng(seed)
    runs = []
    for budget in minutes:
        for _ in range(3):
            for size in SIZES:
                rate = float(speed.tokens_per_s(size)) * np.exp(-busy * rng.exponential())
                tokens = 60 * budget * rate
                score = float(loss(size, tokens)) * np.exp(noise * rng.normal())
                runs.append((size, tokens, rate, 60 * budget, score))
    return Points.of(*zip(*runs, strict=True))


def true_minimum(minutes: float, loss=LOSS, speed=SPEED) -> tuple[float, float]:
    sizes = np.geomspace(1e4, 1e9, 200_001)
    losses = law.time_loss(loss, speed, sizes, 60 * minutes)
    return float(sizes[np.argmin(losses)]), float(losses.min())


@few
@given(
    alpha=st.floats(0.25, 0.5),
    beta=st.floats(0.2, 0.45),
    floor=st.floats(0.2, 0.6),
    seed=st.integers(0, 10**6),
)
def test_constants_come_back_where_budgets_part_them(alpha, beta, floor, seed):
    true = LossLaw(E=floor, A=0.3 * 1.4e6**alpha, B=0.5 * 4e6**beta, alpha=alpha, beta=beta)
    found = fit.fit_loss(swept(true, minutes=(0.25, 1, 5, 20), seed=seed, noise=0.002))
    # E and the exponents trade against each other: closer than that needs less noise.
    assert found.alpha == pytest.approx(alpha, abs=0.12)
    assert found.beta == pytest.approx(beta, abs=0.12)
    assert pytest.approx(floor, abs=0.15) == found.E
    grid = np.geomspace(2.5e5, 8e6, 9)
    tokens = 60 * SPEED.tokens_per_s(grid)
    assert found(grid, tokens) == pytest.approx(true(grid, tokens), rel=0.01)


@few
@given(power=st.floats(0.7, 1.1), fixed=st.floats(1e-6, 3e-5), seed=st.integers(0, 10**6))
def test_speed_comes_back_from_a_busy_machine(power, fixed, seed):
    true = SpeedLaw(fixed=fixed, scale=4e-5 / 1.4e6**power, power=power)
    points = swept(speed=true, seed=seed, busy=0.03)
    found = fit.fit_speed(points.params, points.tokens_per_s)
    assert found.tokens_per_s(SIZES) == pytest.approx(true.tokens_per_s(SIZES), rel=0.1)


def test_a_run_that_went_astray_pulls_little():
    points = swept(minutes=(0.25, 1, 5))
    points.loss[7] *= 1.3
    clean = fit.fit_loss(swept(minutes=(0.25, 1, 5)))
    found = fit.fit_loss(points)
    assert found(SIZES, 1e6) == pytest.approx(clean(SIZES, 1e6), rel=0.006)


def test_a_slow_hour_moves_runs_along_the_law_and_not_the_law():
    """Half the runs of the smallest size at a third of the speed."""
    points = swept(noise=0.001, busy=0.0)
    slow = np.flatnonzero(points.params == SIZES[0])[:1]
    points.tokens[slow] /= 3
    points.tokens_per_s[slow] /= 3
    points.loss[slow] = LOSS(points.params[slow], points.tokens[slow])
    laws = fit.fit(points, num_resamples=0)
    assert np.abs(laws.residuals).max() < 0.01
    one = law.optimum(laws, 1, is_swept=True)
    assert one.params == pytest.approx(true_minimum(1)[0], rel=0.25)


@pytest.mark.parametrize("minutes", [1.0, 5.0, 30.0])
def test_the_minimum_of_a_known_law_is_found(minutes):
    size, loss = law.minimum(LOSS, SPEED, 60 * minutes, 1e4, 1e9)
    true_size, true_loss = true_minimum(minutes)
    assert size == pytest.approx(true_size, rel=1e-3)
    assert loss == pytest.approx(true_loss, rel=1e-9)


@pytest.mark.slow
def test_the_interval_covers_and_is_narrow_enough():
    true, inside = true_minimum(1)[0], 0
    assert SIZES[0] < true < SIZES[-1]
    for seed in range(6):
        one = law.optimum(fit.fit(swept(seed=seed), num_resamples=30), 1, is_swept=True)
        inside += one.low <= true <= one.high
        assert one.low <= one.params <= one.high < 4 * one.low
        assert not one.is_edge
    assert inside >= 5


def test_a_budget_that_was_not_raced_is_predicted():
    laws = fit.fit(swept(), num_resamples=20)
    one = law.optimum(laws, 5, is_swept=False)
    size, loss = true_minimum(5)
    assert one.bits_per_byte == pytest.approx(loss, rel=0.03)
    assert one.params == pytest.approx(size, rel=0.5)
