"""Entries and their standing: seeds together, bounds apart, a record only by a Welch test."""

import itertools
import statistics

import pytest
from helpers.made_records import BOUND, made, submission, verification

from leaderboard.rank import boards
from leaderboard.render import columns
from speedrun.records.statistics import Spread, welch
from speedrun.records.summary import Summary, summarize


def runs(*scores: float, day: int = 1, first_seed: int = 0, **changes) -> list[Summary]:
    """Runs of one config under different seeds, one an hour."""
    named = {path.replace("__", "."): value for path, value in changes.items()}
    return [
        summarize(
            made(score, seed, {"created": f"2026-01-{day:02}T{seed:02}:00:00+00:00", **named})
        )
        for seed, score in enumerate(scores, start=first_seed)
    ]


def named(name: str | None, *of: list[Summary], author: str | None = None):
    return {run.id: submission(run.id, name, author) for run in itertools.chain(*of)}


OLD = runs(0.80, 0.81, 0.82, day=1)
LOWER = runs(0.70, 0.71, 0.72, day=2, config__recipe__lr=0.01)
NOISY = runs(0.60, 0.95, 0.70, day=3, config__recipe__lr=0.02)


def only(found, **at):
    (board,) = boards(found, **at)
    return board


def statuses(board) -> dict[float, str]:
    return {round(e.bits_per_byte.mean, 4): e.status for e in board.entries}


def history(board) -> list[float]:
    return [round(e.bits_per_byte.mean, 2) for e in board.history]


def test_runs_of_one_config_form_an_entry():
    (entry,) = only(OLD).entries
    scores = [0.80, 0.81, 0.82]
    spread = Spread(statistics.fmean(scores), statistics.stdev(scores), 3)
    assert entry.bits_per_byte == pytest.approx(spread)
    assert [run.seed for run in entry.runs] == [0, 1, 2]
    assert entry.label == "transformer, default" and len(entry.id) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"config__recipe__lr": 0.1},
        {"arch": "lstm"},
        {"backend": "mlx"},
        {"device": "cuda"},
        {"code__dirty": True},
    ],
)
def test_what_is_different_is_another_entry(change):
    assert len(only([*OLD, *runs(0.8, first_seed=4, **change)]).entries) == 2


def test_a_name_splits_entries_and_an_author_does_not():
    notes = named("more heads", OLD[:2], author="Ann") | named(None, OLD[2:], author="Ben")
    entries = only(OLD, submissions=notes).entries
    assert sorted((e.name or "", len(e.runs), e.authors) for e in entries) == [
        ("", 1, ("Ben",)),
        ("more heads", 2, ("Ann",)),
    ]
    notes = named("x", OLD[:1], author="Ann") | named("x", OLD[1:], author="Ben")
    assert only(OLD, submissions=notes).entries[0].authors == ("Ann", "Ben")


def test_equal_weights_under_other_seeds_are_one_seed():
    (entry,) = only([OLD[0]._replace(seed=seed) for seed in range(3)]).entries
    assert entry.status == "unconfirmed" and entry.why == "1 of 3 seeds"


@pytest.mark.parametrize(
    "change",
    [
        {"budget_s": 60.0},
        {"hardware__class": "cuda-h100"},
        {"data__train_fingerprint": "e" * 64},
        {"data__heldout_fingerprint": "e" * 64},
        {"score__num_docs": 4456},
    ],
)
def test_tracks_stay_apart(change):
    found = boards([*OLD, *runs(0.1, 0.2, **change)])
    assert sorted(len(board.entries[0].runs) for board in found) == [2, 3]
    assert found[0].track != found[1].track and found[0].track.label


def test_the_first_with_three_seeds_is_the_record():
    board = only(OLD)
    assert board.records[0].p_value is None and statuses(board) == {0.81: "record"}
    assert board.history == board.records


def test_a_lower_entry_that_noise_does_not_explain_takes_the_record():
    board = only([*LOWER, *OLD, *NOISY])
    assert statuses(board) == {0.71: "record", 0.75: "behind", 0.81: "former record"}
    new, noisy, old = board.entries
    assert new.rival == old.id and new.p_value is not None and new.p_value < 0.01
    assert [e.id for e in board.history] == [old.id, new.id]
    assert noisy.rival == new.id


def test_noise_does_not_take_the_record():
    noisy, old = only([*OLD, *NOISY]).entries
    assert (noisy.status, old.status) == ("unconfirmed", "record")
    assert noisy.why.startswith("p = 0.3") and "needs p < 0.01" in noisy.why


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (LOWER[:1], "1 of 3 seeds"),
        (LOWER[:2], "2 of 3 seeds"),
        (runs(0.5, 0.51, 0.52, code__dirty=True), "changes that are not committed"),
        (runs(0.5, 0.51, code__dirty=True), "2 of 3 seeds, changes that are not committed"),
    ],
)
def test_an_unconfirmed_entry_says_what_it_lacks(found, why):
    board = only([*OLD, *found])
    assert (board.entries[0].status, board.entries[0].why) == ("unconfirmed", why)
    assert board.entries[1].status == "record"
    alone = only(found).entries[0]
    assert (alone.status, alone.why, alone.rival) == ("unconfirmed", why, None)


def test_one_run_of_changed_code_does_not_unseat_a_record():
    dirty = runs(2.0, first_seed=7, day=9, code__dirty=True)
    assert statuses(only([*OLD, *dirty])) == {0.81: "record", 2.0: "behind"}


def test_the_record_is_always_one_that_no_other_beats():
    # Early and lower, but the first record's seeds differ too much to tell; the second's do not.
    first = runs(0.80, 1.00, 1.20, day=1)
    early = runs(0.500, 0.501, 0.502, day=2, config__recipe__lr=0.03)
    later = runs(*[0.70, 0.71, 0.69] * 4, day=3, config__recipe__lr=0.04)
    board = only([*first, *early, *later])
    best = board.records[0]
    for entry in board.entries:
        assert entry.id == best.id or not welch(entry.bits_per_byte, best.bits_per_byte) < 0.01


def test_whoever_had_the_seeds_first_is_held_against():
    slow = [*runs(0.70, 0.71, day=1), *runs(0.72, first_seed=2, day=9)]
    board = only([*runs(0.80, 0.81, 0.82, day=5, config__recipe__lr=0.1), *slow])
    assert history(board) == [0.81, 0.71]


def test_every_record_there_was_is_in_the_history_in_any_order_of_reading():
    lowest = runs(0.60, 0.61, 0.62, day=4, config__recipe__lr=0.05)
    found = [*lowest, *OLD, *LOWER, *NOISY]
    board = only(found)
    assert history(board) == [0.81, 0.71, 0.61]
    assert sorted(e.status for e in board.entries) == ["behind", *["former record"] * 2, "record"]
    assert boards(found) == boards(found[::-1]) == boards(sorted(found))


def test_bounds_have_a_record_of_their_own_and_stand_behind():
    bounds = runs(0.50, 0.51, 0.52, **BOUND)
    worse = runs(0.60, 0.61, 0.62, day=9, **BOUND, config__recipe__lr=0.5)
    board = only([*bounds, *OLD, *worse])
    assert [(e.is_bound, e.status) for e in board.entries] == [
        (False, "record"),
        (True, "record"),
        (True, "behind"),
    ]
    assert board.entries[1].p_value is None and board.entries[1].rival is None
    assert board.entries[2].rival == board.entries[1].id


def test_runs_that_do_not_rank_are_no_part_of_an_entry():
    stopped = runs(0.1, first_seed=5, status="interrupted")
    board = only([*OLD, *stopped])
    assert board.unranked == tuple(stopped) and len(board.entries) == 1
    assert board.entries[0].bits_per_byte.n == 3


ELSEWHERE = {"hardware_class": "another-machine"}


@pytest.mark.parametrize(
    ("parts", "mark"),
    [
        ([], ""),
        ([{"rescored": {}}], "rescored"),
        ([{"rescored": {}}, {"rerun": {}}], "rerun"),
        ([{"rerun": {}}, {"rescored": {"agrees": False}}], "failed"),
        ([{"rescored": {}, "rerun": ELSEWHERE}], "rescored"),  # which confirms nothing
    ],
)
def test_the_mark_is_the_most_that_was_verified(parts, mark):
    notes = {OLD[1].id: [verification(OLD[1].id, **part) for part in parts]}
    assert only(OLD, verifications=notes).entries[0].mark == mark


def test_verified_runs_are_counted():
    notes = {run.id: [verification(run.id, rescored={})] * 2 for run in OLD[:2]}
    entry = only(OLD, verifications=notes).entries[0]
    assert (entry.num_verified, columns.verified(entry)) == (2, "✓ 2 of 3")
    notes[OLD[2].id] = [verification(OLD[2].id, rerun={})]
    entry = only(OLD, verifications=notes).entries[0]
    assert (entry.num_verified, columns.verified(entry)) == (3, "✓✓")
