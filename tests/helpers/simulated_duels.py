"""Duels on simulated hosts: ln(b / a) of their counted pairs, without a difference or with one.

A race's ln(bits per byte) is its seed's part plus `slope` times ln(speed of the host). Races
follow each other as in a duel, A B B A A B …; a pair in which the gate sees another process is
raced again under the same index.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

RECORDS = Path(__file__).resolve().parents[2] / "leaderboard" / "records"
# Bits per byte of five quiet minutes by recipe, seeds within (docs/log.md, 2026-11-22).
QUIET = ((0.7040, 0.7044), (0.6908, 0.6944, 0.6904), (0.6902, 0.6925, 0.6904))
QUIET_SPEED = 0.006  # standard deviation of ln(speed) of those races
DRIFT = 0.07  # change of ln(speed) per race while a host sped up by a third (docs/log.md)
GATE = 0.1  # share of two cores taken by others, above which a pair is raced again
STEPS = 12  # of a race, between which a neighbour comes or goes

Rng = np.random.Generator
Host = Callable[[Rng, int, int], np.ndarray]  # duels, races -> ln(speed), [duels, races]


@cache
def spreads() -> tuple[float, float, float]:
    """Standard deviation of ln(bits per byte) of seeds; slope on ln(speed); and its deviation.

    The latter two are those within the five-minute entries on the board: exact scores, three seeds.
    """
    entries = defaultdict(list)
    for path in RECORDS.glob("?" * 64 + ".json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["score"]["likelihood"] == "exact" and record["budget_s"] == 300:
            numbers = record["train"]["tokens_per_s"], record["score"]["bits_per_byte"]
            recipe = {key: one for key, one in record["config"].items() if key != "seed"}
            entries[json.dumps(recipe, sort_keys=True)].append(np.log(numbers))
    speed, loss = centred([entry for entry in entries.values() if len(entry) >= 3]).T
    quiet = centred([np.log(group) for group in QUIET])
    seed = math.sqrt(quiet @ quiet / (len(quiet) - len(QUIET)))
    return seed, float(speed @ loss / (speed @ speed)), float(speed.std())


def centred(groups) -> np.ndarray:
    """All values less the mean of their group."""
    return np.concatenate([np.asarray(group) - np.mean(group, axis=0) for group in groups])


def quiet(rng: Rng, duels: int, races: int) -> np.ndarray:
    """A quiet host."""
    return rng.normal(0, QUIET_SPEED, (duels, races))


def noisy(rng: Rng, duels: int, races: int) -> np.ndarray:
    """Every race at a speed of its own, as within the entries on the board."""
    return rng.normal(0, spreads()[2], (duels, races))


def linear(rng: Rng, duels: int, races: int) -> np.ndarray:
    """A steady rise or fall of the speed."""
    return rng.uniform(-DRIFT, DRIFT, (duels, 1)) * np.arange(races) + quiet(rng, duels, races)


def walk(rng: Rng, duels: int, races: int) -> np.ndarray:
    """A random walk of the speed."""
    return rng.normal(0, DRIFT, (duels, races)).cumsum(axis=1) + quiet(rng, duels, races)


def heavy(rng: Rng, duels: int, races: int) -> np.ndarray:
    """Slow-downs with heavy tails (Student's t with two degrees of freedom)."""
    return -np.abs(rng.standard_t(2, (duels, races))) * DRIFT


def neighbour(rng: Rng, duels: int, races: int) -> np.ndarray:
    """One of two cores taken half of the time. A stay lasts a third of a race up to 30 races."""
    stay = 1 - 1 / (STEPS * np.exp(rng.uniform(math.log(1 / 3), math.log(30), duels)))
    here, share = rng.random(duels) < 0.5, np.zeros((races, duels))
    for race in range(races):
        for _ in range(STEPS):
            here ^= rng.random(duels) > stay
            share[race] += here / STEPS
    return np.log(1 - share.T / 2) + quiet(rng, duels, races)


HOSTS: tuple[Host, ...] = (quiet, noisy, linear, walk, heavy, neighbour)


def ln_ratios(
    host: Host, rng: Rng, duels: int, pairs: int, difference: float = 0.0, gated: bool = False
) -> np.ndarray:
    """ln(b / a) of the counted pairs, [duels, pairs]; NaN where a gated duel found none.

    A gated duel gives up after six attempts per pair. The gate sees what others took of the
    machine, as a speed below that of the quiet host by more than `GATE`.
    """
    seed, slope, _ = spreads()
    speed = host(rng, duels, 2 * pairs * (6 if gated else 1))
    loss = slope * speed + rng.normal(0, seed, speed.shape)
    later = loss[:, 1::2] - loss[:, ::2]  # of the second race of each attempt
    if gated:
        disturbed = np.minimum(speed[:, 1::2], speed[:, ::2]) < math.log(1 - GATE)
        order = np.argsort(disturbed, axis=1, kind="stable")[:, :pairs]
        later = np.take_along_axis(np.where(disturbed, np.nan, later), order, axis=1)
    return later * np.where(np.arange(pairs) % 2, -1, 1) + difference
