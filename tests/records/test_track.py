"""Tracks and standings: bounds after exact scores, doubtful runs nowhere."""

import pytest
from helpers.made_records import BOUND, made

from speedrun.records.summary import MAX_OVERSHOOT, summarize, unranked_because
from speedrun.records.track import Track, standing

# The train fingerprint of the tinystories of made records, by documents instead of by files.
BY_CONTENT = "c923fd3eed95dc0ddad6678453e2afa0c72a9820fdd0232cd3a864c6e4fc5dd3"


BAD_ROW = {"share": 1.0, "what": "the documents ended early: row 3", "kind": "bad_row"}


def scored(bits_per_byte=0.75, seed=0, **changes):
    """The summary of a record of this score, with changes by path."""
    return summarize(made(bits_per_byte, seed, changes))


def place(run, others):
    found = standing(run, others)
    return found.place, found.num_runs, found.best


def test_the_lower_score_is_ahead():
    ours = scored(0.7)
    better, worse, worst = scored(0.6, 1), scored(0.8, 2), scored(0.9, 3)
    assert place(ours, [worst, better, worse]) == (2, 4, better)
    assert place(ours, [worst, worse]) == (1, 3, worse)
    assert place(ours, []) == (1, 1, None)
    assert place(ours, [ours]) == (1, 1, None)  # it is itself among the records on disk
    assert place(ours, [equal := scored(0.7, 1)]) == (1, 2, equal)


def test_bounds_stand_behind_exact_scores():
    bound, tighter = scored(0.5, **BOUND), scored(0.4, 1, **BOUND)
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
        ("data.name", "the name of another folder", True),
        ("data.train_fingerprint", BY_CONTENT, True),
        ("arch", "lstm", True),
        ("num_params", 1, True),
        ("tokenizer.vocab", 257, True),
        ("device", "x", True),
    ],
)
def test_only_runs_of_one_track_are_rivals(path, value, is_same):
    ours, other = scored(seed=1), scored(**{path: value})
    assert (Track.of(ours) == Track.of(other)) == is_same
    assert standing(ours, [other]).num_runs == 1 + is_same


WENT_BAD = "a bad row, or a change of the files, ended the documents early"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "interrupted"}, "the run is interrupted"),
        ({"status": "diverged", "score": None}, "the run is diverged"),
        ({"score": None}, "the run has no score"),
        ({"train.events": [BAD_ROW]}, WENT_BAD),
        ({"clock.suspended_s": 2.0}, "the machine slept or stood still for 2.0 s"),
        ({"clock.overshoot_s": 1.6}, "it ran 1.60 s past its budget"),
        ({"clock.overshoot_s": MAX_OVERSHOOT * 300.0}, None),
    ],
)
def test_doubtful_runs_do_not_rank_and_are_no_rivals(changes, why):
    assert unranked_because(made(changes=changes)) == why
    rivals = standing(scored(seed=1), [scored(**changes)])
    assert rivals.num_runs == (2 if why is None else 1)
