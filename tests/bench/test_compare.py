"""Two benches compared: verdicts, and what else differs."""

import pytest
from helpers.benches import QUIET, bench_of, printed, row_of

from speedrun.bench import compare
from speedrun.bench.result import Bench


def verdicts(before: Bench, now: Bench) -> dict[str, str]:
    return {change.kind: change.verdict for change in compare.compare(before, now).changes}


def test_a_clear_change_is_judged_and_noise_is_not():
    before = bench_of()
    assert verdicts(before, bench_of(row_of(speed=130.0)))["train"] == compare.FASTER
    assert verdicts(before, bench_of(row_of(speed=75.0)))["train"] == compare.SLOWER
    assert verdicts(before, bench_of(row_of(speed=100.5)))["train"] == compare.SAME
    change = compare.compare(before, bench_of(row_of(speed=130.0))).changes[0]
    assert change.ratio == pytest.approx(1.3)
    assert change.low is not None and 1.2 < change.low < 1.3


def test_what_the_machine_itself_gained_is_no_verdict():
    faster_machine = row_of(speed=130.0, matmul_gflops={"fp32": 132.0, "bf16": None})
    found = compare.compare(bench_of(), bench_of(faster_machine))
    assert found.changes[0].verdict == compare.SAME and "x1.32" in found.changes[0].why
    assert any("matrix products alone run at x1.32" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rows": [row_of(speed=200, hardware_class="cuda-h200")]}, "other hardware"),
        ({"rows": [row_of(speed=200)], "load": QUIET | {"steal_share": 0.2}}, "busy machine"),
        ({"rows": [row_of(train=[200.0], score=[200.0], sample=[200.0])]}, "fewer than 3 repeats"),
    ],
)
def test_what_cannot_be_judged_is_not(changes, why):
    for change in compare.compare(bench_of(), bench_of(**changes)).changes:
        assert change.verdict == compare.UNSURE and change.why == why


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": [row_of(hardware_class="cuda-h200")]}, "other hardware: cpu-x86_64-2c before"),
        ({"rows": [row_of(versions={"torch": "2.14.0"})]}, "other torch: 2.13.0 before, 2.14.0"),
        ({"code": {"commit": "b" * 40, "dirty": True, "version": "0.1.0"}}, "not committed"),
        ({"code": {"commit": "b" * 40, "dirty": False, "version": "0.1.0"}}, "aaaaaaaaaa before"),
        ({}, "the same commit"),
        ({"rows": [row_of(), row_of("d3pm")]}, "only now: d3pm 2M cpu"),
        ({"rows": [row_of(batch_rows=8)]}, "batch_rows was 16, is 8"),
        ({"rows": [row_of(engine={"precision": "bf16"})]}, "precision was fp32, is bf16"),
        (
            {"data": {"name": "x", "train_fingerprint": "", "heldout_fingerprint": ""}},
            "other data: d before, x now",
        ),
        (
            {"settings": {"repeats": 3, "burst_s": 1.0, "num_docs": 9, "story_tokens": 200}},
            "other settings",
        ),
    ],
)
def test_what_else_differs_is_said(changes, says):
    before, now = bench_of(), bench_of(**changes)
    found = compare.compare(before, now)
    assert any(says in note for note in found.notes), found.notes
    assert says in printed(now, found)
