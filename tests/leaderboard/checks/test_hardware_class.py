"""The class of a record of schema 4 follows from its cores, features, quota and memory."""

import pytest
from helpers.made_records import made, older, resealed

from leaderboard.checks.machine import problems
from speedrun.records.schema import parse

HONEST = {
    "plain": {},
    "an old processor": {"class": "cpu-x86_64-2c", "features": []},
    "a fraction": {"class": "cpu-x86_64-2c-amx-q1.5", "cpu_quota": 1.5, "physical_cores": 64},
    "whole cores": {"cpu_quota": 2.0, "physical_cores": 64},
    "little memory": {"class": "cpu-x86_64-2c-amx-m8g", "memory_limit": 8 << 30},
}
FORGED = {
    "another generation": {"class": "cpu-x86_64-2c-avx2"},
    "fewer features": {"features": ["avx2"]},
    "a hidden quota": {"class": "cpu-x86_64-2c-amx-q1.5"},
    "a quota unsaid": {"cpu_quota": 1.5},
    "memory unsaid": {"memory_limit": 1 << 30},
    "more cores": {"physical_cores": 64},
    "no core": {"physical_cores": 0},
    "an endless quota": {"cpu_quota": 1e308},
    "a quota below nothing": {"cpu_quota": -1.0},
}


def found(facts):
    return list(problems(made(changes={f"hardware.{name}": f for name, f in facts.items()})))


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_machine_has_its_class(case):
    assert found(HONEST[case]) == []


@pytest.mark.parametrize("case", FORGED)
def test_a_machine_of_another_class_is_refused(case):
    lines = found(FORGED[case])
    assert lines and all(len(line) < 400 for line in lines)


def test_older_records_keep_the_class_that_they_have():
    content = made(changes={"hardware.class": "cpu-x86_64-2c-avx2"}).content()
    assert list(problems(parse(resealed(older(content, 3)).encode(), "there"))) == []
