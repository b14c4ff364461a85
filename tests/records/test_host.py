"""Runs on a host that was disturbed are unfit; accounts that took too long are flagged."""

from typing import Any

import pytest
from helpers.made_records import made, older, resealed

from speedrun.records import host
from speedrun.records.schema import parse
from speedrun.records.sections import OFF_CLOCK
from speedrun.records.summary import summarize


def facts(before: Any = 100.0, after: Any = 100.0, stolen: Any = 0.0, others: Any = 0.0, **of: Any):
    """Changes of a record."""
    return {
        "host.matmul_before": before,
        "host.matmul_after": after,
        "host.stolen_share": stolen,
        "host.others_share": others,
        "hardware.cores": of.get("cores", 2),
        "hardware.accelerator": of.get("accelerator"),
    }


FIT = {
    "a machine of its own": facts(),
    "a noisy one of two cores": facts(stolen=0.03, others=0.04),
    "a laptop that grew hot": facts(after=56.0),
    "a laptop with a browser": facts(others=0.04, cores=8),
    "a device that woke up": facts(before=60.0),
    "a system that does not tell": facts(stolen=None, others=None),
    "a card beside busy processors": facts(others=0.6, cores=64, accelerator="NVIDIA H200"),
}
UNFIT = {
    "half of one core of two": (facts(others=0.25), "25% by other processes; at most 10% may be"),
    "half of one core of eight": (
        facts(others=0.0625, cores=8),
        "6% by other processes; at most 5%",
    ),
    "a core of the hypervisor's": (facts(stolen=0.5), "50% by the hypervisor"),
    "both": (facts(stolen=0.06, others=0.06), "6% by the hypervisor and 6% by other processes"),
    "a hypervisor under a card": (
        facts(stolen=0.2, accelerator="NVIDIA H200"),
        "by the hypervisor",
    ),
    "slowed down": (facts(after=49.0), "its device went from 100 to 49 GFLOP/s during training"),
    "disturbed at first": (facts(before=49.0), "its device went from 49 to 100 GFLOP/s"),
    "not measured": (facts(before=None), "the rate of its device was not measured"),
    "not measured after": (facts(after=None), "was not measured"),
    "nothing": (facts(before=0.0, after=0.0), "was not measured"),
    # Forged, and not to be divided by.
    "below nothing": (facts(before=-1.0, after=-1.0), "was not measured"),
    "a gift": (facts(stolen=-9.0, others=0.5), "50% by other processes"),
    "no core": (facts(others=0.5, cores=0), "50% by other processes"),
}


@pytest.mark.parametrize("case", FIT)
def test_an_honest_host_is_fit(case):
    assert host.unfit_because(made(changes=FIT[case])) is None


@pytest.mark.parametrize("case", UNFIT)
def test_a_disturbed_host_is_unfit_and_its_run_still_ranks(case):
    changes, why = UNFIT[case]
    found = summarize(made(changes=changes))
    assert why in (found.unfit_because or "") and found.unranked_because is None


def test_numbers_of_any_size_make_short_sentences():
    for value in (1e308, -1e308, 5e-324):
        for before in (value, 1.0):
            found = made(changes=facts(before, value, value, value))
            assert found.host is not None
            texts = (host.unfit_because(found) or "", host.describe(found.host))
            assert max(map(len, texts)) < 120


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_records_of_old_do_not_say_and_new_ones_must(schema):
    record = parse(resealed(older(made().content(), schema)).encode(), "there")
    found = summarize(record)
    assert (found.unfit_because, found.flags, found.is_outside) == (None, "", False)
    late = made(changes={"created": "2026-12-02T00:00:00+00:00"}).content()
    forged = parse(resealed(older(late, schema)).encode(), "there")
    assert "does not describe its host" in (summarize(forged).unfit_because or "")
    assert found.source == f"commit:{'0' * 40}" and found.matmul == 100.5


def test_the_rate_before_training_is_the_one_that_tables_show():
    assert summarize(made()).matmul == 95.5
    assert summarize(made(changes={"host.matmul_before": None})).matmul == 100.5


def test_accounts_beyond_their_limits_are_flagged_and_nothing_else_changes():
    assert set(host.MAX_OFF_CLOCK_S) == set(OFF_CLOCK)
    long = {f"clock.{name}": limit + 1 for name, limit in host.MAX_OFF_CLOCK_S.items()}
    found = host.flags(made(changes=long))
    assert len(found) == len(OFF_CLOCK) and found[0] == "start-up took 601 s, above 600 s"
    just = {f"clock.{name}": limit for name, limit in host.MAX_OFF_CLOCK_S.items()}
    assert host.flags(made(changes=just)) == []
    late = summarize(made(changes={"clock.compile_s": 5000.0}))
    assert late.flags == "compile took 5,000 s, above 900 s"
    assert late.unranked_because is None and late.unfit_because is None
