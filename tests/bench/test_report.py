"""A bench as it is shown, saved and loaded."""

import json

import pytest
from helpers.benches import QUIET, bench_of, printed, row_of, saved

from speedrun.bench import compare, report, result

GOOD = bench_of().model_dump_json(by_alias=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"load": QUIET | {"load_per_core": 1.2}}, "load average 1.20 per core"),
        ({"load": QUIET | {"other_cores": 0.5}}, "0.50 of 2 cores"),
        ({"load": QUIET | {"steal_share": 0.1}}, "10.0% of the processors' time"),
        ({"rows": [row_of(train=[80.0, 100.0, 120.0])]}, "training of lstm 2M cpu varies by ±20%"),
        ({"rows": [row_of(score=[80.0, 100.0, 120.0])]}, "scoring"),
    ],
)
def test_a_busy_machine_is_said_and_shows_ranges(changes, says):
    bench = bench_of(**changes)
    (reason,) = bench.busy_reasons()
    assert says in reason
    shown = printed(bench)
    assert not bench_of().busy_reasons()
    assert says in shown and "machine was busy" in shown
    assert "99-101" in shown or "80-120" in shown
    assert "±1%" not in shown


def test_one_repeat_has_no_spread():
    alone = bench_of(rows=[row_of(train=[100.0], score=[200.0], sample=[50.0])])
    assert "100 ±" not in printed(alone) and "100 ±1%" in printed(bench_of())


def test_shares_are_of_the_measured_limit():
    (row,) = bench_of(row_of(speed=1000.0)).rows
    assert row.shares() == (pytest.approx(0.12), pytest.approx(0.15))
    shown = printed(bench_of(row_of(speed=1000.0)))
    assert "12%" in shown and "15%" in shown and "100 GFLOP/s fp32" in shown
    assert bench_of(row_of(flop=None)).rows[0].shares() == (None, None)


def test_a_profiles_sum_is_shown_beside_the_step():
    profile = {"parts_s": {"MLP": 0.03, "attention": 0.01}, "note": "one by one"}
    shown = printed(bench_of(row_of(speed=102400.0, profile=profile)))
    assert "40.00 ms" in shown and "75.0%" in shown and "one by one" in shown
    assert "not profiled 40.00 ms" in shown


def test_it_fits_a_narrow_terminal():
    shown = printed(bench_of(row_of("transformer", 3456.0)), width=80)
    assert max(map(len, shown.splitlines())) <= 80 and "transformer 2M cpu" in shown


def test_a_saved_bench_is_loaded_as_it_was(tmp_path):
    assert result.load(saved(bench_of(), tmp_path)) == bench_of()


def test_json_carries_what_follows_from_the_numbers():
    before, now = bench_of(), bench_of(row_of(speed=130.0))
    found = json.loads(report.as_json(now, compare.compare(before, now)))
    assert found["summary"][0]["train_tokens_per_s"] == pytest.approx(130.0)
    assert found["summary"][0]["score_over_train"] == pytest.approx(3.0)
    assert found["comparison"]["changes"][0]["verdict"] == "faster" and found["busy"] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("no json", "not a bench"),
        ("[]", "not one JSON object"),
        ("{}", "its schema is 'None', known is 1"),
        ('{"schema": 2}', "its schema is '2'"),
        ('{"schema": 1}', "not a bench"),
        (GOOD.replace('"cores":2', '"cores":NaN'), "NaN is not a number"),
        (GOOD.replace("99.0", "-99.0", 1), "greater than 0"),
        (GOOD.replace('"cpu"', '"cqu"', 1), "not a bench"),
        (b"\xff\xfe".decode("latin-1"), "not a bench"),
    ],
)
def test_what_is_no_saved_bench_is_refused(text, says, tmp_path):
    path = tmp_path / "bench.json"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"--against .*bench\.json") as refused:
        result.load(path)
    assert says in str(refused.value) and "\n" not in str(refused.value)
