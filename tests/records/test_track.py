"""Who stands where: inside a track only, bounds behind exact scores, doubtful runs nowhere."""

import pytest

from speedrun.records.summary import MAX_OVERSHOOT, summarize, unranked_because
from speedrun.records.track import Track, standing


@pytest.fixture
def scored(make_record):
    """`scored(0.7, seed=3)` makes the row of a record of that score, further changes by path."""

    def made(bits_per_byte, seed=0, **changes):
        named = {path.replace("__", "."): value for path, value in changes.items()}
        return summarize(make_record({"score.bits_per_byte": bits_per_byte, "seed": seed, **named}))

    return made


def test_the_lower_score_is_ahead(scored):
    ours = scored(0.7)
    better, worse, worst = scored(0.6, 1), scored(0.8, 2), scored(0.9, 3)
    stand = standing(ours, [worst, better, worse])
    assert (stand.place, stand.num_runs, stand.best) == (2, 4, better)
    stand = standing(ours, [worst, worse])
    assert (stand.place, stand.num_runs, stand.best) == (1, 3, worse)


def test_a_run_alone_is_first(scored):
    ours = scored(0.7)
    for others in ([], [ours]):  # it is itself among the records on disk
        stand = standing(ours, others)
        assert (stand.place, stand.num_runs, stand.best) == (1, 1, None)


def test_equal_scores_share_a_place(scored):
    assert standing(scored(0.7), [scored(0.7, 1)]).place == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.train_fingerprint", "e" * 64),
        ("data.heldout_fingerprint", "e" * 64),
        ("budget_s", 60.0),
        ("hardware.class", "cuda-h100"),
    ],
)
def test_runs_of_another_track_are_no_rivals(make_record, path, value):
    ours = summarize(make_record({"seed": 1}))
    other = summarize(make_record({path: value, "score.bits_per_byte": 0.1}))
    assert Track.of(ours) != Track.of(other)
    assert standing(ours, [other]).num_runs == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [("seed", 7), ("arch", "lstm"), ("num_params", 1), ("tokenizer.vocab", 257), ("device", "x")],
)
def test_what_is_free_does_not_part_tracks(make_record, path, value):
    assert Track.of(summarize(make_record({path: value}))) == Track.of(summarize(make_record()))


def test_bounds_stand_behind_exact_scores(scored):
    bound = scored(0.5, score__likelihood="bound")
    tighter = scored(0.4, 1, score__likelihood="bound")
    exact = scored(0.9, 2)
    stand = standing(bound, [exact, tighter])
    assert (stand.place, stand.best) == (3, exact)
    assert standing(exact, [bound, tighter]).place == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "interrupted"}, "the run is interrupted"),
        ({"status": "diverged", "score": None}, "the run is diverged"),
        ({"score": None}, "the run has no score"),
        ({"clock.suspended_s": 2.0}, "the machine slept or stood still for 2.0 s"),
        ({"clock.overshoot_s": 1.6}, "it ran 1.60 s past its budget"),
    ],
)
def test_doubtful_runs_do_not_rank_and_are_no_rivals(make_record, changes, why):
    doubtful = make_record(changes)
    assert unranked_because(doubtful) == why
    stand = standing(summarize(make_record({"seed": 1})), [summarize(doubtful)])
    assert (stand.num_runs, stand.best) == (1, None)


def test_a_run_that_ends_within_the_tolerance_ranks(make_record):
    assert unranked_because(make_record()) is None
    limit_s = MAX_OVERSHOOT * 300.0
    assert unranked_because(make_record({"clock.overshoot_s": limit_s})) is None
