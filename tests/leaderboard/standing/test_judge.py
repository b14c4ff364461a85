"""Standing: the record is held by the first with its seeds, and moves by duels alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from helpers.made_duels import TWO_PERCENT, A, B, made_duel
from helpers.made_records import BOUND, CONTENT
from helpers.made_summaries import named, only, runs

from leaderboard.render import columns
from leaderboard.standing.boards import boards
from leaderboard.standing.entries import Entry
from speedrun.records.summary import Summary, summarize

OLD = runs(0.80, 0.81, 0.82)
LOWER = runs(0.70, 0.71, 0.72, day=2, config__recipe__lr=0.02)
ARGV = CONTENT["argv"]
C: dict[str, Any] = {"config.recipe.lr": 0.02, "argv": [*ARGV, "--set", "recipe.lr=0.02"]}
LATER = datetime(2026, 5, 1, tzinfo=UTC)


def held(*duels, more: Sequence[Summary] = (), **at):
    """The board of these duels and more runs."""
    found = [summarize(record) for _, records in duels for record in records]
    return only([*found, *more], duels=[duel for duel, _ in duels], **at)


def of(board, bits: float) -> Entry:
    return next(e for e in board.entries if e.bits_per_byte.mean == pytest.approx(bits, abs=2e-3))


def history(board) -> list[float]:
    return [round(entry.bits_per_byte.mean, 2) for entry in board.history]


def test_no_number_of_seeds_takes_a_record_without_a_duel():
    many = runs(*[0.60, 0.61, 0.62] * 4, day=3, config__recipe__lr=0.05)
    best, old = only([*OLD, *many]).entries
    assert (best.status, best.why, old.status) == ("unconfirmed", "needs a duel", "record")
    assert best.probability is not None and best.probability > 0.999
    assert columns.probability(best) == ">0.999"
    assert columns.standing(best) == "unconfirmed: needs a duel"


def test_a_better_recipe_takes_the_record_by_a_duel():
    """The recorded case (integrity 9).

    The host of the recorded first record had slow hours, so its three seeds spread by 0.0106.
    In pairs both sides have the same hour, and a gain of 0.0123 is seen.
    """
    hours = [0.7367, 0.7283, 0.7156, 0.7220, 0.7301]
    noise = [0.0013, -0.0009, 0.0002, -0.0011, 0.0005]
    pairs = [(hour, hour - 0.0123 + own) for hour, own in zip(hours, noise, strict=True)]
    first = runs(*hours[:3])
    board = held(made_duel(pairs), more=first)
    new, old = of(board, 0.7143), of(board, sum(hours[:3]) / 3)
    assert (new.status, old.status, new.rival) == ("record", "former record", old.id)
    assert new.p_value is not None and new.p_value < 0.001
    assert old.bits_per_byte.n == 3 and old.num_extra == 5
    assert "it beat transformer, default in a duel: -1.69 % (95 % interval" in columns.record_line(
        board
    )


@pytest.mark.parametrize(
    ("scores", "changes", "why"),
    [
        (TWO_PERCENT[:4], {}, "a duel of 4 pairs, 5 are needed"),
        (TWO_PERCENT, {"planned_pairs": 6}, "a duel of 5 pairs that is not finished"),
        ([(0.80, 0.78), (0.78, 0.80)] * 3, {}, "a duel without a decision"),
    ],
)
def test_a_duel_that_shows_too_little_moves_nothing(scores, changes, why):
    board = held(made_duel(scores, **changes), more=OLD)
    assert board.records[0].bits_per_byte.mean == pytest.approx(0.81)
    (duel,) = board.duels
    challenger = next(e for e in board.entries if e.id == duel.entries["b"].id)
    assert (challenger.status, challenger.why) == ("unconfirmed", why)
    assert duel.why_not == why


def test_whoever_loses_a_duel_is_behind_whatever_its_mean():
    worse = [(b, a) for a, b in TWO_PERCENT]
    board = held(made_duel(worse), more=runs(0.90, 0.91, 0.92))
    challenger = of(board, 0.804)
    assert (challenger.status, challenger.probability) == ("behind", pytest.approx(0, abs=1e-4))
    assert board.records[0].bits_per_byte.mean == pytest.approx(0.91)


def test_side_a_of_the_first_duel_holds_the_record_where_nobody_did():
    board = held(made_duel([(b, a) for a, b in TWO_PERCENT]))
    assert history(board) == [0.79]
    assert columns.record_line(board).endswith("side A of the first duel.")
    board = held(made_duel(), more=runs(0.70, 0.71, 0.72, day=28, config__recipe__lr=0.02))
    assert history(board) == [0.71]  # which had its seeds before
    assert history(held(made_duel(TWO_PERCENT[:3]))) == []


def test_records_move_from_duel_to_duel_in_any_order_of_reading():
    lower = [(b - 0.02, b - 0.04) for _, b in TWO_PERCENT]
    second = made_duel(lower, {"a": B, "b": C}, start=LATER)
    first = made_duel(start=datetime(2026, 4, 1, tzinfo=UTC))
    for duels in ((first, second), (second, first)):
        assert history(held(*duels, more=OLD)) == [0.81, 0.78, 0.75]
    # A duel against somebody who held no record then, and does now.
    late = made_duel(start=LATER + timedelta(days=9))
    assert history(held(late, second, more=OLD)) == [0.81, 0.78, 0.75]


def test_a_duel_against_a_replication_of_the_record_counts():
    """The challenger raced the record's configuration, so those runs are the challenger's."""
    duel, records = made_duel()
    mine = [summarize(record) for record in records]
    notes = named("old", OLD, "Ann") | named("new", mine, "Ben")
    board = held((duel, records), more=OLD, submissions=notes)
    standing = {(e.author, e.status) for e in board.entries}
    assert standing == {("Ann", "former record"), ("Ben", "record"), ("Ben", "replication")}


def test_a_record_needs_fit_hosts_and_committed_code_on_both_sides():
    dirty = {**B, "code.dirty": True}
    board = held(made_duel(sides={"a": A, "b": dirty}), more=OLD)
    assert board.records[0].bits_per_byte.mean == pytest.approx(0.81)
    assert board.duels[0].why_not == "B: changes that are not committed"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (LOWER[:2], "2 of 3 seeds, needs a duel"),
        ([LOWER[0]._replace(seed=seed) for seed in range(3)], "1 of 3 seeds, needs a duel"),
        (runs(0.5, 0.51, 0.52, code__dirty=True), "changes that are not committed, needs a duel"),
    ],
)
def test_an_unconfirmed_entry_says_what_it_lacks(found, why):
    best, old = only([*OLD, *found]).entries
    assert (best.status, best.why, old.status) == ("unconfirmed", why, "record")
    (alone,) = only(found).entries
    assert (alone.status, alone.rival) == ("unconfirmed", None)
    assert alone.why == why.removesuffix(", needs a duel")


def test_whoever_had_the_seeds_first_is_the_first_record():
    slow = [*runs(0.70, 0.71, day=1), *runs(0.72, first_seed=2, day=9)]
    board = only([*runs(0.80, 0.81, 0.82, day=5, config__recipe__lr=0.1), *slow])
    assert history(board) == [0.81] and board.entries[0].status == "unconfirmed"


def test_the_order_of_reading_does_not_matter():
    dirty = runs(2.0, first_seed=7, day=9, code__dirty=True)
    found = [*OLD, *LOWER, *dirty]
    assert boards(found) == boards(found[::-1]) == boards(sorted(found))


def test_bounds_have_a_record_of_their_own_and_stand_behind():
    bounds = runs(0.50, 0.51, 0.52, **BOUND)
    worse = runs(0.60, 0.61, 0.62, day=9, **BOUND, config__recipe__lr=0.5)
    exact, bound, behind = only([*bounds, *OLD, *worse]).entries
    assert (exact.is_bound, exact.status) == (False, "record")
    assert bound.is_bound and bound.status == "record" and bound.p_value is bound.rival is None
    assert (behind.status, behind.rival) == ("behind", bound.id)
