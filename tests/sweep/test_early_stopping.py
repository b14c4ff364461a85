"""Races that cannot win are stopped, and the winner is never among them but by a hair."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.sweeps import SIZES, SPEED

from speedrun.records.summary import unranked_because
from speedrun.scaling_laws import fit
from speedrun.scaling_laws.law import LossLaw, SpeedLaw
from speedrun.sweep import early_stopping
from speedrun.sweep.early_stopping import FinishedRace, has_lost
from speedrun.sweep.sweep_dir import records

ROOT = Path(__file__).resolve().parents[2]
NATS = 2.75  # of a token, for a bit per byte


def race(size: int, loss: LossLaw, rng, noise=0.04, seeds=0.004) -> FinishedRace:
    """A minute on a machine that is busy now and then, with the gain of a cooldown."""
    rate = float(SPEED.tokens_per_s(size)) * np.exp(-0.1 * rng.exponential())
    num_points = int(np.clip(60 * rate / 4096, 10, 200))
    shares = (np.arange(num_points) + 0.5) / num_points
    luck = np.exp(seeds * rng.normal())
    cooldown = 1 + 0.09 * (1 - np.clip((shares - 0.4) / 0.6, 0, 1))
    nats = NATS * luck * cooldown * loss(size, shares * 60 * rate)
    nats = nats + noise * rng.normal(size=num_points)
    curve = list(zip(shares.tolist(), nats.tolist(), strict=True))
    return FinishedRace(size, curve, float(loss(size, 60 * rate)) * luck)


def sweep(number: int) -> list[FinishedRace]:
    """Six sizes, three seeds, in the order of a sweep; where the best size lies differs."""
    rng = np.random.default_rng(number)
    loss = LossLaw(
        E=0.4, A=15 * rng.uniform(0.6, 1.6), B=40 * rng.uniform(0.6, 1.6), alpha=0.34, beta=0.35
    )
    order = [size for seed in range(3) for size in (SIZES[::-1] if seed % 2 else SIZES)]
    return [race(size, loss, rng) for size in order]


def means(races: Sequence[FinishedRace]) -> dict[int, float]:
    """The mean score by size, of those with the most seeds."""
    scores: dict[int, list[float]] = {}
    for one in races:
        scores.setdefault(one.params, []).append(one.bits_per_byte)
    most = max(map(len, scores.values()))
    return {size: float(np.mean(found)) for size, found in scores.items() if len(found) == most}


def until(one: FinishedRace, share: float) -> list[tuple[float, float | None]]:
    return [point for point in one.curve if point[0] <= share + 1e-9]


def replay(races: Sequence[FinishedRace]) -> tuple[list[FinishedRace], float]:
    """The races that the rule lets finish, and the share of all training time that it saves."""
    finished, saved = [], 0.0
    for one in races:
        for rung in early_stopping.RUNGS:
            if has_lost(one.params, until(one, rung), finished):
                saved += 1 - rung
                break
        else:
            finished.append(one)
    return finished, saved / len(races)


@pytest.mark.slow
def test_the_winner_stays_and_time_is_saved():
    saved, lost = [], []
    for number in range(40):
        races = sweep(number)
        finished, share = replay(races)
        saved.append(share)
        by_size, left = means(races), means(finished)
        lost.append(by_size[min(left, key=left.__getitem__)] / min(by_size.values()) - 1)
    assert np.mean(saved) > 0.25 and max(lost) < 0.005
    assert sum(loss > 0 for loss in lost) <= 1


def test_two_fifths_of_the_recorded_sweep_are_saved_and_its_winners_stay():
    found, problems = records(ROOT / "docs" / "sweep")
    assert not problems
    saved_s = 0.0
    for minutes in (0.5, 1.0):
        races = [
            FinishedRace(r.num_params, r.train.loss_curve, r.score.bits_per_byte)
            for r in sorted(found, key=lambda record: record.created)
            if r.budget_s == 60 * minutes and r.score is not None and unranked_because(r) is None
        ]
        rest, share = replay(races)
        by_size, left = means(races), means(rest)
        assert min(left, key=left.__getitem__) == min(by_size, key=by_size.__getitem__)
        assert len(races) == 18
        saved_s += 60 * minutes * len(races) * share
    assert saved_s > 0.4 * 18 * 90


def test_the_first_sizes_are_raced_to_the_end_for_the_fit():
    races = sweep(0)
    terrible = [(share, 3 * nats) for share, nats in races[3].curve if nats is not None]
    assert fit.MIN_SIZES == early_stopping.MIN_FINISHED_SIZES
    for num_finished in range(early_stopping.MIN_FINISHED_SIZES):
        assert not has_lost(SIZES[4], terrible, races[:num_finished])
    assert has_lost(SIZES[4], terrible, races[:4])


def test_a_slower_start_that_its_size_is_known_for_is_no_reason():
    """A large size is behind at a quarter and wins in the end, under both seeds."""
    early = [(n / 100, 3 - n / 100) for n in range(1, 101)]
    late = [(n / 100, 4.5 - 2.6 * n / 100) for n in range(1, 101)]
    field = [FinishedRace(size, early, 0.75) for size in SIZES[:4]]
    field.append(FinishedRace(SIZES[4], late, 0.7))
    assert not any(has_lost(SIZES[4], late[:end], field) for end in range(1, 101))


@pytest.mark.parametrize("curve", [[], [(0.5, None)], [(0.01, 3.0)], [(0.5, float("nan"))] * 4])
def test_a_curve_that_says_nothing_stops_nothing(curve):
    assert not has_lost(SIZES[4], curve, sweep(0)[:6])


def test_sizes_that_end_alike_are_all_raced_to_the_end():
    rng = np.random.default_rng(0)
    law = LossLaw(E=0.7, A=1e-9, B=40.0, alpha=0.34, beta=0.4)
    tokens = 60 * float(SpeedLaw(fixed=5e-5, scale=0.0, power=1.0).tokens_per_s(1e6))
    races = []
    for size in SIZES * 3:
        curve = [
            (n / 100, NATS * float(law(size, tokens * n / 100)) + 0.03 * rng.normal())
            for n in range(1, 101)
        ]
        score = float(law(size, tokens)) * (1 + 0.004 * rng.normal())
        races.append(FinishedRace(size, curve, score))
    assert replay(races)[1] < 0.1
