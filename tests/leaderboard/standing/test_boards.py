"""Boards: tracks stay apart, none has the title of another, classes have a median rate."""

from typing import Any

import pytest
from helpers.made_summaries import only, runs

from leaderboard.standing.boards import boards, titles
from speedrun.records.track import Track

OLD = runs(0.80, 0.81, 0.82)
TRACK = Track.of(OLD[0])


@pytest.mark.parametrize(
    "path", ["budget_s", "score.num_docs", "data.train_fingerprint", "data.heldout_fingerprint"]
)
def test_tracks_stay_apart(path):
    changes: dict[str, Any] = {path: "e" * 64 if "data" in path else 60}
    found = boards([*OLD, *runs(0.1, 0.2, **changes)])
    assert sorted(len(board.entries[0].runs) for board in found) == [2, 3]
    assert len({board.title for board in found}) == 2


def test_one_data_set_under_two_names_is_one_track():
    (board,) = boards([*OLD, *runs(0.7, first_seed=9, data__name="my-copy")])
    assert board.track.data_name == OLD[0].data_name
    assert {run.seed for entry in board.entries for run in entry.runs} >= {9}
    assert all(entry.track == board.track for entry in board.entries)


def test_runs_that_do_not_rank_are_no_part_of_an_entry():
    stopped = runs(0.1, first_seed=5, status="interrupted")
    board = only([*OLD, *stopped])
    assert board.unranked == tuple(stopped)
    assert [entry.bits_per_byte.n for entry in board.entries] == [3]


LABEL = TRACK.label
ALIKE = {
    "other held-out text": [TRACK._replace(heldout_fingerprint="2ef0" + "0" * 60)],
    "other training text": [TRACK._replace(train_fingerprint="ff16" + "0" * 60)],
    "a budget that rounds to it": [TRACK._replace(budget_s=300.00001)],
    "letters of another size": [
        TRACK._replace(heldout_fingerprint="2ef0" + "1" * 60, data_name="TinyStories")
    ],
    "a class that holds the longer title": [
        TRACK._replace(heldout_fingerprint="2ef0" + "0" * 60),
        TRACK._replace(
            num_docs=2000,
            heldout_fingerprint="2ef0" + "3" * 60,
            hardware_class=titles([TRACK, TRACK._replace(budget_s=300.00001)])[TRACK].split(
                " · ", 3
            )[3],
        ),
    ],
}


@pytest.mark.parametrize("case", ALIKE)
def test_no_two_boards_have_one_title(case):
    """Digits of a digest can be made to agree, and names and classes are anybody's."""
    tracks = [TRACK, *ALIKE[case]]
    found = titles(tracks)
    assert len({title.casefold() for title in found.values()}) == len(tracks)
    assert all(title.startswith(track.label) for track, title in found.items())


def test_a_title_alone_is_the_tracks_label():
    assert titles([TRACK])[TRACK] == LABEL
    assert LABEL == "tinystories@ff16+2ef0 · 2000 documents · 5 min · cpu-x86_64-2c-amx"


def test_the_rate_of_a_class_is_the_median_over_its_tracks():
    rates = (90.0, 100.0, 500.0)
    found = [run._replace(matmul=rate) for run, rate in zip(OLD, rates, strict=True)]
    other = [run._replace(budget_s=60.0) for run in found]
    unknown = [run._replace(hardware_class="mlx-m4", matmul=None) for run in OLD]
    medians = {b.track.hardware_class: b.matmul for b in boards([*found, *other, *unknown])}
    assert medians == {TRACK.hardware_class: 100.0, "mlx-m4": None}
    assert only(found).entries[0].matmul == pytest.approx(230.0)
