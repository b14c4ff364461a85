"""Races that cannot win are stopped, and the winner is never among them but by a hair."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from speedrun.records.summary import unranked_because
from speedrun.scaling_laws import fit
from speedrun.scaling_laws.law import LossLaw, SpeedLaw
from speedrun.sweep import early_stopping
from speedrun.sweep import sweep_dir as sweep_folder
from speedrun.sweep.early_stopping import Raced

ROOT = Path(__file__).resolve().parents[2]
SIZES = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000)
SPEED = SpeedLaw(fixed=1e-5, scale=1.5e-10, power=0.85)
NATS = 2.75  # of a token, for a bit per byte


def raced(size: int, loss: LossLaw, rng, noise=0.04, seeds=0.004) -> Raced:
    """A minute on a machine that is busy now and then, with the gain of a cooldown."""
    rate = float(SPEED.tokens_per_s(size)) * np.exp(-0.1 * rng.exponential())
    num_points = int(np.clip(60 * rate / 4096, 10, 200))
    shares = (np.arange(num_points) + 0.5) / num_points
    luck = np.exp(seeds * rng.normal())
    cooldown = 1 + 0.09 * (1 - np.clip((shares - 0.4) / 0.6, 0, 1))
    nats = NATS * luck * cooldown * loss(size, shares * 60 * rate)
    nats = nats + noise * rng.normal(size=num_points)
    curve = list(zip(shares.tolist(), nats.tolist(), strict=True))
    return Raced(size, curve, float(loss(size, 60 * rate)) * luck)


def sweep(number: int) -> list[Raced]:
    """Six sizes, three seeds, in the order of a sweep; where the best size lies differs."""
    rng = np.random.default_rng(number)
    loss = LossLaw(
        E=0.4, A=15 * rng.uniform(0.6, 1.6), B=40 * rng.uniform(0.6, 1.6), alpha=0.34, beta=0.35
    )
    order = [size for seed in range(3) for size in (SIZES[::-1] if seed % 2 else SIZES)]
    return [raced(size, loss, rng) for size in order]


def means(runs: Sequence[Raced]) -> dict[int, float]:
    """The mean score by size, of those with the most seeds."""
    scores: dict[int, list[float]] = {}
    for run in runs:
        scores.setdefault(run.params, []).append(run.bits_per_byte)
    most = max(map(len, scores.values()))
    return {size: float(np.mean(found)) for size, found in scores.items() if len(found) == most}


def replay(runs: Sequence[Raced]) -> tuple[list[Raced], float]:
    """The races that the rule lets finish, and the share of all training time that it saves."""
    finished, saved = [], 0.0
    for run in runs:
        lost_at = []
        for rung in early_stopping.RUNGS:
            curve = [point for point in run.curve if point[0] <= rung + 1e-9]
            if early_stopping.has_lost(run.params, curve, finished):
                lost_at.append(rung)
        if lost_at:
            saved += 1 - lost_at[0]
        else:
            finished.append(run)
    return finished, saved / len(runs)


def test_the_winner_stays_and_time_is_saved():
    saved, lost = [], []
    for number in range(40):
        runs = sweep(number)
        finished, share = replay(runs)
        saved.append(share)
        by_size, left = means(runs), means(finished)
        lost.append(by_size[min(left, key=left.__getitem__)] / min(by_size.values()) - 1)
    assert np.mean(saved) > 0.25 and max(lost) < 0.005
    assert sum(loss > 0 for loss in lost) <= 1


def recorded_sweep(minutes: float) -> list[Raced]:
    """The races of the recorded sweep for one budget, in the order they were raced in."""
    records, problems = sweep_folder.records(ROOT / "docs" / "sweep")
    assert not problems
    return [
        Raced(record.num_params, record.train.loss_curve, record.score.bits_per_byte)
        for record in sorted(records, key=lambda record: record.created)
        if record.budget_s == 60 * minutes and record.score and unranked_because(record) is None
    ]


def test_two_fifths_of_the_recorded_sweep_are_saved_and_its_winners_stay():
    saved_s = 0.0
    for minutes in (0.5, 1.0):
        runs = recorded_sweep(minutes)
        finished, share = replay(runs)
        by_size, left = means(runs), means(finished)
        assert min(left, key=left.__getitem__) == min(by_size, key=by_size.__getitem__)
        assert len(runs) == 18
        saved_s += 60 * minutes * len(runs) * share
    assert saved_s > 0.4 * 18 * 90


def test_the_first_sizes_are_raced_to_the_end_for_the_fit():
    runs = sweep(0)
    terrible = [(share, 3 * nats) for share, nats in runs[3].curve if nats is not None]
    for num_finished in range(early_stopping.MIN_FINISHED_SIZES):
        assert not early_stopping.has_lost(SIZES[4], terrible, runs[:num_finished])
    assert early_stopping.has_lost(SIZES[4], terrible, runs[:4])


def test_a_race_level_with_the_best_goes_on():
    runs = sweep(1)[:6]
    best = min(runs, key=lambda run: run.bits_per_byte)
    for rung in early_stopping.RUNGS:
        curve = [point for point in best.curve if point[0] <= rung]
        assert not early_stopping.has_lost(best.params, curve, runs)


def test_a_slower_start_that_its_size_is_known_for_is_no_reason():
    """A large size is behind at a quarter and wins in the end, under both seeds."""
    early = [(n / 100, 3 - n / 100) for n in range(1, 101)]
    late = [(n / 100, 4.5 - 2.6 * n / 100) for n in range(1, 101)]
    field = [Raced(size, early, 0.75) for size in SIZES[:4]] + [Raced(SIZES[4], late, 0.7)]
    assert not any(early_stopping.has_lost(SIZES[4], late[:end], field) for end in range(1, 101))


@pytest.mark.parametrize("curve", [[], [(0.5, None)], [(0.01, 3.0)], [(0.5, float("nan"))] * 4])
def test_a_curve_that_says_nothing_stops_nothing(curve):
    assert not early_stopping.has_lost(SIZES[4], curve, sweep(0)[:6])


def recorded(arch: str) -> list[Raced]:
    """The recorded five-minute races of an architecture under its default recipe."""
    runs = []
    folder = ROOT / "leaderboard" / "records"
    for path in sorted(path for path in folder.glob("*.json") if len(path.stem) == 64):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["arch"] == arch and content["config"]["recipe_name"] == "default":
            curve = [(share, nats) for share, nats in content["train"]["loss_curve"]]
            runs.append(Raced(content["num_params"], curve, content["score"]["bits_per_byte"]))
    assert len(runs) >= 3
    return runs


def at(run: Raced, doublings: int) -> Raced:
    """The run as if it were of another size."""
    return Raced(run.params * 2**doublings, run.curve, run.bits_per_byte)


def test_recorded_curves_part_a_winner_from_a_loser():
    """Transformers in a field of LSTMs are never stopped; an LSTM in one of transformers is."""
    strong, weak = recorded("transformer"), recorded("lstm")
    for run in strong:
        for known in strong:
            field = [known, *(at(weak[n % 3], n + 1) for n in range(6))]
            for rung in early_stopping.RUNGS:
                curve = [point for point in run.curve if point[0] <= rung]
                assert not early_stopping.has_lost(known.params, curve, field)
    field = [weak[0], *(at(strong[n % 3], n + 1) for n in range(6))]
    curve = [point for point in weak[1].curve if point[0] <= 0.25]
    assert early_stopping.has_lost(weak[0].params, curve, field)


def test_nothing_is_lost_where_the_laws_are_equal():
    """Sizes that end alike are all raced to the end."""
    rng = np.random.default_rng(0)
    law = LossLaw(E=0.7, A=1e-9, B=40.0, alpha=0.34, beta=0.4)
    flat = SpeedLaw(fixed=5e-5, scale=0.0, power=1.0)
    tokens = 60 * float(flat.tokens_per_s(1e6))
    runs = []
    for size in SIZES * 3:
        curve = [
            (n / 100, NATS * float(law(size, tokens * n / 100)) + 0.03 * rng.normal())
            for n in range(1, 101)
        ]
        runs.append(Raced(size, curve, float(law(size, tokens)) * (1 + 0.004 * rng.normal())))
    assert fit.MIN_SIZES == early_stopping.MIN_FINISHED_SIZES
    assert replay(runs)[1] < 0.1
