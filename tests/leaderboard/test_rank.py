"""What compares with what."""

import pytest

from leaderboard import store
from leaderboard.rank import standing, track, unranked_because


def test_a_run_stands_by_its_bits_per_byte(record_of):
    mine = record_of()
    others = [record_of(score__bits_per_byte=x) for x in (0.8, 1.0, 1.1)]
    found = standing(mine, [mine, *others])
    assert (found.place, found.num_runs) == (2, 4)
    assert found.best == others[0]


@pytest.mark.parametrize(
    "change",
    [
        {"budget_s": 60.0},
        {"data__train_fingerprint": "9" * 64},
        {"data__heldout_fingerprint": "9" * 64},
        {"hardware__class": "cuda-h200"},
    ],
)
def test_other_tracks_do_not_compare(record_of, change):
    mine, other = record_of(), record_of(score__bits_per_byte=0.1, **change)
    assert track(mine) != track(other)
    assert standing(mine, [other]).place == 1
    assert standing(mine, [other]).num_runs == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "interrupted"}, "interrupted"),
        ({"status": "diverged", "score": None, "sample": None}, "diverged"),
        ({"clock__suspended_s": 4.0}, "slept"),
        ({"clock__overshoot_s": 1.6}, "past its budget"),
    ],
)
def test_what_does_not_rank_says_why_and_counts_for_nobody(record_of, change, says):
    other = record_of(**change)
    assert says in (unranked_because(other) or "")
    assert standing(record_of(), [other]).num_runs == 1


def test_a_bound_stands_behind_every_exact_score(record_of):
    bound = record_of(score__bits_per_byte=0.5, score__likelihood="bound")
    assert standing(bound, [record_of(score__bits_per_byte=2.0)]).place == 2


def test_finished_runs_are_found_and_broken_ones_passed_by(record_of, tmp_path):
    for name in ("a", "race/b", ".hidden.partial"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "record.json").write_text(record_of(arch=name).to_json())
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.json").write_text("{")
    assert {record.arch for _, record in store.runs(tmp_path)} == {"a", "race/b"}
