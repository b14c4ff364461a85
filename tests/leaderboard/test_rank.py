"""Entries and their standing: seeds together, bounds apart, a record only by a Welch test."""

from typing import Any

import pytest
from helpers.made_records import BOUND, made, submission, verification

from leaderboard.rank import boards
from leaderboard.render import columns
from speedrun.records.statistics import Spread, welch
from speedrun.records.summary import Summary, summarize


def runs(*scores: float, day: int = 1, first_seed: int = 0, **changes) -> list[Summary]:
    """Runs of one config under different seeds, one an hour."""
    named = {path.replace("__", "."): value for path, value in changes.items()}
    day_of = f"2026-01-{day:02}T{{:02}}:00:00+00:00"
    return [
        summarize(made(score, seed, {"created": day_of.format(seed), **named}))
        for seed, score in enumerate(scores, start=first_seed)
    ]


def named(name: str | None, of: list[Summary], author: str):
    return {run.id: submission(run.id, name, author) for run in of}


OLD = runs(0.80, 0.81, 0.82, day=1)
LOWER = runs(0.70, 0.71, 0.72, day=2, config__recipe__lr=0.01)
NOISY = runs(0.60, 0.95, 0.70, day=3, config__recipe__lr=0.02)


def only(found, **at):
    (board,) = boards(found, **at)
    return board


def test_runs_of_one_config_form_an_entry():
    (entry,) = only(OLD).entries
    assert entry.bits_per_byte == pytest.approx(Spread(0.81, 0.01, 3))
    assert [run.seed for run in entry.runs] == [0, 1, 2]
    assert entry.label == "transformer, default" and len(entry.id) == 12


def test_a_name_splits_entries_and_an_author_does_not():
    notes = named("more heads", OLD[:2], "Ann") | named(None, OLD[2:], "Ben")
    found = {(e.name, len(e.runs), e.authors) for e in only(OLD, submissions=notes).entries}
    assert found == {("more heads", 2, ("Ann",)), (None, 1, ("Ben",))}
    notes = named("x", OLD[:1], "Ann") | named("x", OLD[1:], "Ben")
    assert only(OLD, submissions=notes).entries[0].authors == ("Ann", "Ben")


def test_the_record_is_always_one_that_no_other_beats():
    # Early and lower, but the first record's seeds differ too much to tell; the second's do not.
    first = runs(0.80, 1.00, 1.20, day=1)
    early = runs(0.500, 0.501, 0.502, day=2, config__recipe__lr=0.03)
    later = runs(*[0.70, 0.71, 0.69] * 4, day=3, config__recipe__lr=0.04)
    board = only([*first, *early, *later])
    best = board.records[0]
    for entry in board.entries:
        assert entry.id == best.id or not welch(entry.bits_per_byte, best.bits_per_byte) < 0.01


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


@pytest.mark.parametrize(
    ("path", "value"),
    [("config.recipe.lr", 0.1), ("arch", "lstm"), ("device", "cuda"), ("code.dirty", True)],
)
def test_what_is_different_is_another_entry(path, value):
    assert len(only([*OLD, *runs(0.8, first_seed=4, **{path: value})]).entries) == 2


@pytest.mark.parametrize(
    "path", ["budget_s", "score.num_docs", "data.train_fingerprint", "data.heldout_fingerprint"]
)
def test_tracks_stay_apart(path):
    changes: dict[str, Any] = {path: "e" * 64 if "data" in path else 60}
    found = boards([*OLD, *runs(0.1, 0.2, **changes)])
    assert sorted(len(board.entries[0].runs) for board in found) == [2, 3]


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


def test_a_lower_entry_takes_the_record_if_noise_does_not_explain_it():
    new, noisy, old = only([*LOWER, *OLD, *NOISY]).entries
    assert (new.status, noisy.status, old.status) == ("record", "behind", "former record")
    assert new.rival == old.id and new.p_value is not None and new.p_value < 0.01
    assert noisy.rival == new.id
    noisy, old = only([*OLD, *NOISY]).entries
    assert (noisy.status, old.status, old.p_value) == ("unconfirmed", "record", None)
    assert noisy.why.startswith("p = 0.3") and "needs p < 0.01" in noisy.why


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (LOWER[:2], "2 of 3 seeds"),
        ([LOWER[0]._replace(seed=seed) for seed in range(3)], "1 of 3 seeds"),  # equal weights
        (runs(0.5, 0.51, 0.52, code__dirty=True), "changes that are not committed"),
        (runs(0.5, 0.51, code__dirty=True), "2 of 3 seeds, changes that are not committed"),
    ],
)
def test_an_unconfirmed_entry_says_what_it_lacks(found, why):
    best, old = only([*OLD, *found]).entries
    assert (best.status, best.why, old.status) == ("unconfirmed", why, "record")
    (alone,) = only(found).entries
    assert (alone.status, alone.why, alone.rival) == ("unconfirmed", why, None)


def history(board) -> list[float]:
    return [round(entry.bits_per_byte.mean, 2) for entry in board.history]


def test_whoever_had_the_seeds_first_is_held_against():
    slow = [*runs(0.70, 0.71, day=1), *runs(0.72, first_seed=2, day=9)]
    board = only([*runs(0.80, 0.81, 0.82, day=5, config__recipe__lr=0.1), *slow])
    assert history(board) == [0.81, 0.71]


def test_every_record_there_was_is_in_the_history_in_any_order_of_reading():
    lowest = runs(0.60, 0.61, 0.62, day=4, config__recipe__lr=0.05)
    dirty = runs(2.0, first_seed=7, day=9, code__dirty=True)  # unseats nothing
    found = [*lowest, *OLD, *LOWER, *NOISY, *dirty]
    board = only(found)
    assert history(board) == [0.81, 0.71, 0.61]
    standing = ["behind", "behind", "former record", "former record", "record"]
    assert sorted(entry.status for entry in board.entries) == standing
    assert boards(found) == boards(found[::-1]) == boards(sorted(found))


def test_bounds_have_a_record_of_their_own_and_stand_behind():
    bounds = runs(0.50, 0.51, 0.52, **BOUND)
    worse = runs(0.60, 0.61, 0.62, day=9, **BOUND, config__recipe__lr=0.5)
    exact, bound, behind = only([*bounds, *OLD, *worse]).entries
    assert (exact.is_bound, exact.status) == (False, "record")
    assert bound.is_bound and bound.status == "record" and bound.p_value is bound.rival is None
    assert (behind.status, behind.rival) == ("behind", bound.id)
