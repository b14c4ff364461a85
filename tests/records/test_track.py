"""Tracks and standings: bounds after exact scores, doubtful runs nowhere."""

import pytest

from speedrun.records.summary import MAX_OVERSHOOT, summarize, unranked_because
from speedrun.records.track import Track, standing


@pytest.fixture
def scored(make_record):
    """`scored(0.7, seed=3)` is the summary of a record of that score, with changes by path."""

    def made(bits_per_byte, seed=0, **changes):
        named = {path.replace("__", "."): value for path, value in changes.items()}
        return summarize(make_record({"score.bits_per_byte": bits_per_byte, "seed": seed, **named}))

    return made


def place(run, others):
    found = standing(run, others)
    return found.place, found.num_runs, found.best


def test_the_lower_score_is_ahead(scored):
    ours = scored(0.7)
    better, worse, worst = scored(0.6, 1), scored(0.8, 2), scored(0.9, 3)
    assert place(ours, [worst, better, worse]) == (2, 4, better)
    assert place(ours, [worst, worse]) == (1, 3, worse)
    assert place(ours, []) == (1, 1, None)
    assert place(ours, [ours]) == (1, 1, None)  # it is itself among the records on disk
    assert place(ours, [equal := scored(0.7, 1)]) == (1, 2, equal)


def test_bounds_stand_behind_exact_scores(scored):
    bound = scored(0.5, score__likelihood="bound")
    tighter = scored(0.4, 1, score__likelihood="bound")
    exact = scored(0.9, 2)
    assert place(bound, [exact, tighter]) == (3, 3, exact)
    assert place(exact, [bound, tighter])[0] == 1


@pytest.mark.parametrize(
    ("path", "value", "is_same"),
    [
        ("data.train_fingerprint", "e" * 64, False),
        ("data.heldout_fingerprint", "e" * 64, False),
        ("budget_s", 60.0, False),
        ("hardware.class", "cuda-h100", False),
        ("arch", "lstm", True),
        ("num_params", 1, True),
        ("tokenizer.vocab", 257, True),
        ("device", "x", True),
    ],
)
def test_only_runs_of_one_track_are_rivals(make_record, path, value, is_same):
    ours = summarize(make_record({"seed": 1}))
    other = summarize(make_record({path: value}))
    assert (Track.of(ours) == Track.of(other)) == is_same
    assert standing(ours, [other]).num_runs == 1 + is_same


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "interrupted"}, "the run is interrupted"),
        ({"status": "diverged", "score": None}, "the run is diverged"),
        ({"score": None}, "the run has no score"),
        ({"clock.suspended_s": 2.0}, "the machine slept or stood still for 2.0 s"),
        ({"clock.overshoot_s": 1.6}, "it ran 1.60 s past its budget"),
        ({"clock.overshoot_s": MAX_OVERSHOOT * 300.0}, None),
    ],
)
def test_doubtful_runs_do_not_rank_and_are_no_rivals(make_record, changes, why):
    doubtful = make_record(changes)
    assert unranked_because(doubtful) == why
    stand = standing(summarize(make_record({"seed": 1})), [summarize(doubtful)])
    assert stand.num_runs == (2 if why is None else 1)
