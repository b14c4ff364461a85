"""Simulated duels: rate of false verdicts where there is no difference, and of true ones found."""

import numpy as np
import pytest
from helpers import simulated_duels as simulated
from scipy.special import stdtr
from scipy.stats import binomtest

from speedrun.duel import sequential
from speedrun.duel.sequential import decisions, limits

DUELS = 20_000
RULES = [(5, "fixed"), (8, "early")]
HOSTS = [
    *[(host, False) for host in simulated.HOSTS],
    (simulated.neighbour, True),  # pairs it disturbs are raced again
]


def evidence_against(rate: float, found: np.ndarray, side: str) -> float:
    """p-value of the verdict being more frequent than `rate`."""
    return float(binomtest(int((found == side).sum()), len(found), rate, "greater").pvalue)


@pytest.mark.parametrize(("planned", "stop"), RULES)
@pytest.mark.parametrize(("host", "gated"), HOSTS)
def test_false_verdicts_are_at_most_one_in_a_hundred(host, gated, planned, stop):
    rng = np.random.default_rng(15)
    found, _ = decisions(simulated.ln_ratios(host, rng, DUELS, planned, gated=gated), planned, stop)
    for side in "ab":
        assert evidence_against(sequential.SIGNIFICANCE, found, side) > 1e-3


def test_one_limit_at_every_look_would_be_found(monkeypatch):
    monkeypatch.setattr(sequential, "limits", lambda planned: dict.fromkeys(range(3, 9), 0.01))
    found, _ = decisions(
        simulated.ln_ratios(simulated.quiet, np.random.default_rng(15), DUELS, 8), 8, "early"
    )
    assert evidence_against(sequential.SIGNIFICANCE, found, "b") < 1e-12


@pytest.mark.parametrize("planned", [5, 8, 12])
def test_every_look_spends_what_is_planned(planned):
    values = np.random.default_rng(15).normal(size=(100_000, planned))
    crossed = np.zeros(len(values), bool)
    for num, limit in limits(planned).items():
        t = sequential.t_statistics(values[:, :num])
        crossed |= stdtr(num - 1, t) < limit
        spent = sequential.SIGNIFICANCE * (num / planned) ** 3
        assert binomtest(int(crossed.sum()), len(values), spent).pvalue > 1e-3


@pytest.mark.parametrize(("planned", "stop"), [(8, "fixed"), (8, "early")])
def test_one_percent_is_found_within_eight_pairs(planned, stop):
    rng = np.random.default_rng(15)
    for gated, host in ((False, simulated.quiet), (True, simulated.neighbour)):
        values = simulated.ln_ratios(host, rng, 2000, planned, -0.01, gated)
        found, _ = decisions(values[np.isfinite(values).all(axis=1)], planned, stop)
        assert (found == "b").mean() > 0.95
